"""The reasoner that the settings name, with the chat model behind it, and the model that looks at images."""

from __future__ import annotations

from agent.errors import UserError
from agent.models.base import ChatModel
from agent.reasoners.base import Reasoner
from agent.reasoners.rules import Rules
from agent.settings import Settings

__all__ = ["chat_model", "reasoner", "thinker", "vision_model"]


def reasoner(settings: Settings) -> tuple[Reasoner, ChatModel | None]:
    """The reasoner, and the chat model that its user is to leave when done; None where there is none.

    Nothing is loaded or asked yet. Raises UserError for a model of no use, MissingExtra.
    """
    if settings.reasoner == "rules":
        return Rules(), None
    model = chat_model(settings)
    return thinker(settings, model), model


def thinker(settings: Settings, model: ChatModel) -> Reasoner:
    """The reasoner of the settings before a chat model that is its caller's to leave."""
    from agent.reasoners.auto import Auto
    from agent.reasoners.llm import Llm
    from fhir_tools.tools import AVAILABLE, TOOLS

    llm = Llm(
        model,
        helped=settings.model_told,
        tools=TOOLS if settings.vision_named else AVAILABLE,
        budget=settings.tokens,
        thinking=settings.model_thinking,
        seconds=settings.model_seconds,
    )
    return Auto(Rules(), llm) if settings.reasoner == "auto" else llm


def chat_model(settings: Settings) -> ChatModel:
    """The model server of the settings, else weights on this machine. Raises UserError, MissingExtra."""
    if settings.model_url:
        if settings.model_adapter:
            raise UserError(
                "CHARTLINE_MODEL_ADAPTER is for weights on this machine; a model server loads adapters itself "
                "(vLLM: --lora-modules), and CHARTLINE_MODEL names the one that is meant"
            )
        from agent.models.openai_compatible import OpenAICompatible

        return OpenAICompatible(
            settings.model_url,
            model=settings.model,
            key=settings.model_key,
            ca=str(settings.model_ca) if settings.model_ca else None,
        )
    from agent.models.medgemma import DEFAULT, MedGemma

    return MedGemma(
        settings.model or DEFAULT,
        revision=settings.model_revision,
        precision=settings.model_precision,
        device=settings.model_device,
        context=settings.model_context,
        batch=settings.model_batch,
        token=settings.model_token.get_secret_value() if settings.model_token else None,
        offline=settings.model_offline,
        adapter=settings.model_adapter,
    )


def vision_model(settings: Settings, reasoning: ChatModel | None = None) -> ChatModel | None:
    """The model that looks at images; None where there is none, or where it is turned off.

    The settings for vision come first; without any it is the model that reasons, or would: one that the settings name.
    It is the `reasoning` model itself where the two are the same, so that no weights are loaded twice.
    Raises UserError, MissingExtra.
    """
    if settings.vision == "off":
        return None
    if settings.vision_named and not (reasoning is not None and _alike(settings)):
        return chat_model(_looking(settings))
    if reasoning is not None:
        return reasoning
    named = settings.model or settings.model_url or settings.reasoner != "rules"
    return chat_model(settings) if named else None


def _alike(settings: Settings) -> bool:
    """Whether the settings for vision name the model that reasons."""
    named = ("", "_url", "_revision", "_precision")
    return all(getattr(settings, f"vision{n}") == getattr(settings, f"model{n}") for n in named)


def _looking(settings: Settings) -> Settings:
    """The settings with those for vision in the place of those for the model."""
    return settings.model_copy(
        update={
            "model": settings.vision,
            "model_url": settings.vision_url,
            "model_key": settings.vision_key,
            "model_revision": settings.vision_revision,
            "model_precision": settings.vision_precision,
        }
    )
