"""The settings of models: what reasons, what looks at images, what embeds them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from agent.settings.fields import DATA, FilePath, Group

__all__ = ["ModelSettings"]


class ModelSettings(Group):
    """What reasons over the cards, and with what budget."""

    reasoner: Literal["rules", "llm", "auto"] = Field(
        default="rules",
        description="What reasons over the cards: rules, a model, or auto: the model where rules refuse.",
    )
    model: str | None = Field(
        default=None, description="The model: a MedGemma variant, a folder or a Hub id; at a server, its name there."
    )
    model_revision: str | None = Field(default=None, description="The commit of the weights at the Hub.")
    model_adapter: FilePath | None = Field(
        default=None, description="The folder of an adapter that was trained on the model (chartline adapt train)."
    )
    model_url: str | None = Field(default=None, description="A model server that speaks OpenAI's protocol.")
    model_key: SecretStr | None = Field(default=None, description="The key for the model server.")
    model_ca: FilePath | None = Field(
        default=None, description="A file of certificate authorities to trust for the model server."
    )
    model_precision: Literal["bf16", "8bit", "4bit"] = Field(default="bf16", description="How weights are held.")
    model_device: str = Field(default="auto", description="Where weights go: auto, cpu, cuda, cuda:1, …")
    model_context: int = Field(default=8192, ge=1024, description="Tokens of prompt and answer together.")
    model_batch: int = Field(default=4, ge=1, le=64, description="Answers written side by side.")
    model_thinking: int = Field(default=0, ge=0, description="Tokens of silent thinking, of a model that thinks.")
    model_seconds: float = Field(default=120.0, gt=0, description="The most seconds that one call of the model takes.")
    model_told: bool = Field(default=True, description="Whether a model is told what rules are sure of.")
    model_token: SecretStr | None = Field(default=None, description="The Hub's token, for weights that are gated.")
    model_offline: bool = Field(default=False, description="Whether weights come from this machine alone.")
    vision: str | None = Field(
        default=None,
        description="The model that looks at images: as CHARTLINE_MODEL, or off; empty is the model that reasons.",
    )
    vision_url: str | None = Field(default=None, description="The server of the model that looks at images.")
    vision_key: SecretStr | None = Field(default=None, description="The key for that server.")
    vision_revision: str | None = Field(default=None, description="The commit of its weights at the Hub.")
    vision_precision: Literal["bf16", "8bit", "4bit"] = Field(default="bf16", description="How its weights are held.")
    vision_slices: int = Field(default=16, ge=1, le=200, description="The most pictures of one study that it is shown.")
    image_encoder: str = Field(
        default="medsiglip-448", description="What embeds images: medsiglip-448, a folder or a Hub id."
    )
    image_encoder_revision: str | None = Field(default=None, description="The commit of its weights at the Hub.")
    image_index: FilePath = Field(default=DATA / "images", description="The folder that embedded images are kept in.")
    image_labels: FilePath | None = Field(default=None, description="The file that calibrates labels of images.")
    steps: int = Field(default=4, ge=1, le=20, description="How often one question may be reasoned about.")
    tokens: int = Field(
        default=2500, ge=300, le=100_000, description="About how many tokens the cards in a prompt may take."
    )

    @property
    def vision_named(self) -> bool:
        """Whether a model that looks at images is named for itself."""
        return bool(self.vision_url or (self.vision and self.vision != "off"))

    @field_validator("vision")
    @classmethod
    def _blind(cls, value: str | None) -> str | None:
        return "off" if (value or "").lower() in ("off", "none", "no", "false") else value
