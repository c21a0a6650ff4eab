"""Files of a model: from a folder, from the Hub with the user's token, or from the Hub's cache when offline."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from agent.errors import ModelError, UserError
from agent.models.medgemma.variants import Weights

__all__ = ["Files"]

_WANTED = ("*.json", "*.safetensors", "*.jinja", "tokenizer.model", "spiece.model")
_CONFIG = "config.json"

# With it, even a call that may only read this machine's cache first asks the Hub what programs it may be called by.
constants.HF_HUB_DISABLE_TELEMETRY = True


class Files:
    """The files of some weights. `token` is the user's, for gated models; None takes the one `hf auth login` keeps."""

    def __init__(self, weights: Weights, *, token: str | None = None, offline: bool = False) -> None:
        self._weights, self._token, self._offline = weights, token, offline

    def config(self) -> Path:
        """The folder that holds config.json, before the weights are fetched. Raises UserError, ModelError."""
        if self._weights.local:
            return self._folder(Path(self._weights.place))
        return Path(self._ask(hf_hub_download, filename=_CONFIG)).parent

    def all(self) -> Path:
        """The folder with all files that are needed; fetched where they are not there yet."""
        if self._weights.local:
            return Path(self._weights.place)
        folder = Path(self._ask(snapshot_download, allow_patterns=list(_WANTED)))
        if not any(folder.glob("*.safetensors")):
            raise UserError(f"{self._weights.place} on the Hub has no weights in safetensors files")
        return folder

    def _folder(self, folder: Path) -> Path:
        if (folder / "adapter_config.json").is_file():
            raise UserError(
                f"{str(folder)!r} holds an adapter, not a model: name it by CHARTLINE_MODEL_ADAPTER, "
                "and the model it was trained on by CHARTLINE_MODEL"
            )
        if not (folder / _CONFIG).is_file():
            raise UserError(f"{str(folder)!r} holds no model: there is no {_CONFIG} in it")
        if not any(folder.glob("*.safetensors")):
            raise UserError(f"{str(folder)!r} holds no weights: there are no .safetensors files in it")
        return folder

    def _ask(self, call: Callable[..., Any], **wanted: Any) -> str:
        place, revision = self._weights.place, self._weights.revision
        try:
            return str(call(place, revision=revision, token=self._token, local_files_only=self._offline, **wanted))
        except GatedRepoError as error:
            raise UserError(
                f"{place} is gated: accept its terms at https://huggingface.co/{place}, and give a token of the same "
                "account (hf auth login, or the setting for the Hub's token)"
            ) from error
        except RevisionNotFoundError as error:
            raise UserError(f"{place} has no revision {revision!r} on the Hub") from error
        except RepositoryNotFoundError as error:
            raise UserError(
                f"there is no {place} on the Hub, or it is not open to this token: mind the spelling, "
                "or give a token (hf auth login, or the setting for the Hub's token)"
            ) from error
        except LocalEntryNotFoundError as error:
            raise self._absent() from error
        except EntryNotFoundError as error:
            raise UserError(
                f"{place} on the Hub holds no model: there is no {wanted.get('filename', _CONFIG)}"
            ) from error
        except (HfHubHTTPError, OSError) as error:
            raise ModelError(
                f"the Hub could not be asked for {place} ({type(error).__name__}): try again, {_ELSE}"
            ) from error

    def _absent(self) -> UserError:
        place = self._weights.place
        why = "and offline is set" if self._offline else "and the Hub cannot be reached"
        return UserError(f"{place} is not in this machine's Hub cache {why}: {_ELSE}")


_ELSE = "fetch it once where there is a network (hf download), or give the folder of a copy"
