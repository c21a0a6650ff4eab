"""The reasoner that the settings name, with the chat model behind it."""

from __future__ import annotations

from agent.errors import UserError
from agent.models.base import ChatModel
from agent.reasoners.base import Reasoner
from agent.reasoners.rules import Rules
from agent.settings import Settings

__all__ = ["chat_model", "reasoner"]


def reasoner(settings: Settings) -> tuple[Reasoner, ChatModel | None]:
    """The reasoner, and the chat model that its user is to leave when done; None where there is none.

    Nothing is loaded or asked yet. Raises UserError for a model of no use, MissingExtra.
    """
    if settings.reasoner == "rules":
        return Rules(), None
    from agent.reasoners.auto import Auto
    from agent.reasoners.llm import Llm
    from fhir_tools.tools import AVAILABLE

    model = chat_model(settings)
    llm = Llm(
        model,
        tools=AVAILABLE,
        budget=settings.tokens,
        thinking=settings.model_thinking,
        seconds=settings.model_seconds,
    )
    return (llm if settings.reasoner == "llm" else Auto(Rules(), llm)), model


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
