"""A chat model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or any other."""

from agent.models.openai_compatible.model import OpenAICompatible, Trial

__all__ = ["OpenAICompatible", "Trial"]
