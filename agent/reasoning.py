"""The reasoner that the settings name, with the chat model behind it."""

from __future__ import annotations

from agent.errors import UserError
from agent.models.base import ChatModel
from agent.reasoners.base import Reasoner
from agent.reasoners.rules import Rules
from agent.settings import Settings

__all__ = ["chat_model", "reasoner", "thinker"]


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
    from fhir_tools.tools import AVAILABLE

    llm = Llm(
        model,
        helped=settings.model_told,
        tools=AVAILABLE,
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
