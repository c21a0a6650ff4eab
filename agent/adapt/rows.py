"""Training rows, and the folder that holds them: `train.jsonl`, `held-out.jsonl` and `card.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import UserError
from agent.evals.cases import read_rows, write_rows
from agent.models.base import Message

__all__ = ["FILES", "DatasetCard", "Part", "Row", "Said", "fingerprint", "read_card", "read_part", "write"]

Part = Literal["train", "held-out"]
FILES: Mapping[Part, str] = {"train": "train.jsonl", "held-out": "held-out.jsonl"}
_CARD = "card.json"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Said(_Frozen):
    """A message of the prompt, with its parts as the backend gets them (`agent.models.base.Message`)."""

    role: Literal["system", "user", "assistant"]
    parts: tuple[str, ...]


class Row(_Frozen):
    """One prompt as the llm reasoner sends it, and the reply that is right.

    `patient` is `Patient/id`, empty where ids were left out. `helped` is whether what rules worked out stands among
    the cards. `before` is the question of the thread that this one follows, `needs` those that had been looked up.
    `schema_` is what the reply has to keep to, and `reply` its JSON in the layout that the grammar allows.
    """

    id: str
    kind: str
    patient: str = ""
    as_of: date
    question: str
    before: str = ""
    means: str = ""
    helped: bool = True
    needs: tuple[Mapping[str, Any], ...] = ()
    messages: tuple[Said, ...]
    schema_: Mapping[str, Any] = Field(alias="schema", serialization_alias="schema")
    reply: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def prompt(self) -> tuple[Message, ...]:
        """The messages, for a chat model."""
        return tuple(Message(role=said.role, parts=said.parts) for said in self.messages)

    def marks(self) -> tuple[str, ...]:
        """The marks that the reply may cite."""
        claims = self.schema_["properties"]["claims"]["items"]
        return tuple(claims["properties"]["marks"]["items"]["enum"]) if "properties" in claims else ()


class DatasetCard(_Frozen):
    """What a dataset is: how it was made, of how many patients, rows of each kind by part, and why questions dropped.

    `sha256` is of both files of rows together; `prompts` are the hashes of the prompt files that were used.
    """

    chartline: str
    seed: int
    held_out: float
    per_patient: int
    unhelped: float
    context: int
    patient_ids: bool
    kinds: tuple[str, ...] = ()
    patients: Mapping[Part, int]
    rows: Mapping[str, Mapping[Part, int]]
    dropped: Mapping[str, int]
    prompts: Mapping[str, str]
    sha256: str = ""


def write(folder: Path, rows: Mapping[Part, Sequence[Row]], card: DatasetCard) -> DatasetCard:
    """Write the folder, made where it is missing, readable by its owner alone. Raises UserError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for part, name in FILES.items():
            (folder / name).touch(mode=0o600)
            write_rows(folder / name, rows[part])
        whole = card.model_copy(update={"sha256": fingerprint(folder)})
        (folder / _CARD).write_text(json.dumps(whole.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write into {str(folder)!r}: {error.strerror}") from error
    return whole


def fingerprint(folder: Path) -> str:
    """The sha256 of the rows as they are now. Raises UserError where a file is missing."""
    digest = hashlib.sha256()
    for name in FILES.values():
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise _no_dataset(folder, name) from error
    return digest.hexdigest()


def read_part(folder: Path, part: Part) -> list[Row]:
    """The rows of a part. Raises UserError where the file is missing, has a faulty line, or holds none."""
    path = folder / FILES[part]
    if not path.is_file():
        raise _no_dataset(folder, FILES[part])
    rows = read_rows(path, Row)
    if not rows:
        remedy = (
            "make it of more patients, or with a larger --held-out"
            if part == "held-out"
            else "make it of more patients, or with a smaller --held-out"
        )
        raise UserError(f"{str(path)!r} holds no rows: {remedy}")
    return rows


def read_card(folder: Path) -> DatasetCard:
    """The dataset's card. Raises UserError where it is missing or is none."""
    try:
        return DatasetCard.model_validate_json((folder / _CARD).read_bytes())
    except OSError as error:
        raise _no_dataset(folder, _CARD) from error
    except ValidationError as error:
        raise UserError(f"{str(folder / _CARD)!r} is no card of a dataset: write the dataset anew") from error


def _no_dataset(folder: Path, name: str) -> UserError:
    return UserError(
        f"{str(folder)!r} holds no dataset (there is no {name}); make one with: chartline adapt dataset --out {folder}"
    )
