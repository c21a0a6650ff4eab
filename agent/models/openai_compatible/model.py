"""The chat model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import SecretStr

from agent.errors import MissingExtra, ModelError
from agent.models.base import Completion, ModelCard, OnText, Request, Used
from agent.models.checking import bare, fault
from agent.models.openai_compatible.hearing import Hearing
from agent.models.openai_compatible.quiet import quiet
from agent.models.openai_compatible.wording import Format, body, repair, shown, text_of
from fhir_tools.auth.secret import Secret

if TYPE_CHECKING:
    from agent.models.openai_compatible.serving import Served
    from agent.models.openai_compatible.trying import Grammar, Pace, Reach, Sight

__all__ = ["OpenAICompatible", "Trial"]

_T = TypeVar("_T")
REPAIRS = 2
_FIND_SECONDS = 180.0
"""For finding out: a server that loads its weights when it is first asked takes its time."""
_CHARACTERS = 3.5
"""Of English and figures in a token, about; only where a server counts nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What `probe` found. `asked` is the id asked for, `form` the `response_format` in use, `told` whether the
    server tells the context (`most`: only what the model could take), `counts` whether it counts tokens, `in_order`
    whether two images of one prompt are told apart; `reach`, None where the long prompt did not fit."""

    base: str
    asked: str
    card: ModelCard
    software: str
    form: Format
    bounded: bool
    told: bool
    most: bool
    counts: bool
    images: Sight
    in_order: bool | None
    thinks: bool | None
    reach: Reach | None
    pace: Pace


class OpenAICompatible:
    """A model of the server at `base_url`; without `model` the only one that it serves.

    `key` goes to it as a bearer token, `ca` is a PEM file of authorities to trust in place of the public ones;
    `form` says which `response_format` the server enforces, where that should not be found out by a trial;
    `at_once` bounds the requests in flight. Raises UserError for an address of no use, MissingExtra without `openai`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str | None = None,
        key: str | SecretStr | None = None,
        ca: str | None = None,
        form: Format | None = None,
        at_once: int = 8,
    ) -> None:
        try:
            from agent.models.openai_compatible.calling import Line
        except ModuleNotFoundError as error:
            if error.name != "openai":
                raise
            raise MissingExtra("a model server", "server") from None
        secret = Secret(key, "CHARTLINE_MODEL_KEY") if key is not None else None
        self._line = Line(base_url, key=secret, ca=ca, at_once=at_once)
        self._wanted, self._form = model, form
        self._lock = asyncio.Lock()
        self._served: Served | None = None
        self._grammar: Grammar | None = None
        self._answering = ""
        self._counts = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with quiet():
            await self._line.aclose()

    async def describe(self) -> ModelCard:
        """What answers, found out once: by what the server tells, and by one short trial of schemas."""
        served, grammar = await self._within(_FIND_SECONDS, self._found)
        return ModelCard(
            name=self._answering or served.name,
            context=served.context or 0,
            grammar="decoding" if grammar.enforced else "repair",
            images=bool(served.images),
            thinking=served.thinking,
        )

    async def complete(self, request: Request, on_text: OnText | None = None) -> Completion:
        """See `agent.models.base.ChatModel`. Text is told piece by piece where the schema is enforced; where it is
        checked afterwards, and with thinking under a schema, all at once when it has been accepted."""
        return await self._within(request.seconds, lambda deadline: self._completed(request, on_text, deadline))

    async def alive(self, seconds: float) -> None:
        """See `agent.models.base.Served`: the list of models, which every such server has."""
        with quiet():
            await self._line.look("models", seconds=seconds)

    async def probe(self) -> Trial:
        """All that `chartline doctor --model` wants to know; a dozen requests, a minute or two on a slow machine."""
        from agent.models.openai_compatible import trying

        await self.describe()
        pace = await trying.pace(self._tried)
        images = await self._within(_FIND_SECONDS, self._seen)
        served, grammar = await self._within(_FIND_SECONDS, self._found)
        in_order = await trying.in_order(self._tried) if images == "read" else None
        thinks = await trying.thinks(self._tried) if served.thinking else None
        reach = await trying.reach(self._tried)
        told = served.context is not None
        if not told:
            length = await self._within(
                _FIND_SECONDS, lambda end: trying.context(lambda sent: self._asked(sent, end), served.id)
            )
            served = replace(served, context=length or None)
            self._served = served
        return Trial(
            base=self._line.base,
            asked=served.id,
            card=await self.describe(),
            software=served.software,
            form=grammar.form,
            bounded=grammar.bounded,
            told=told,
            most=served.most,
            counts=self._counts,
            images=images,
            in_order=in_order,
            thinks=thinks,
            reach=reach,
            pace=pace,
        )

    async def _tried(self, request: Request) -> Completion:
        return await self.complete(replace(request, seconds=_FIND_SECONDS))

    async def _within(self, seconds: float, work: Callable[[float], Awaitable[_T]]) -> _T:
        """The work, which is told its deadline, in silence and in time."""
        deadline = asyncio.get_running_loop().time() + seconds
        with quiet():
            try:
                async with asyncio.timeout_at(deadline):
                    return await work(deadline)
            except TimeoutError:
                pass
        raise ModelError(
            f"{self._line.server} did not finish within {seconds:g} s; "
            "is it overloaded, loading its weights, or too slow for this model?"
        )

    async def _found(self, deadline: float) -> tuple[Served, Grammar]:
        """The model, and how the server keeps a schema; who comes while it is being found out waits."""
        from agent.models.openai_compatible import serving, trying

        async with self._lock:
            if self._served is None:
                self._served = await serving.look(self._line, self._wanted)
            if self._grammar is None:
                if self._form is None:
                    self._grammar = await trying.grammar(lambda b: self._asked(b, deadline), self._served.id)
                else:
                    self._grammar = trying.given(self._form)
                if self._served.most:  # the trial has loaded the model: what it was given can be told now
                    self._served = await serving.look(self._line, self._served.id)
            return self._served, self._grammar

    async def _seen(self, deadline: float) -> Sight:
        """What becomes of images, tried; from then on it is known whether they may be sent."""
        from agent.models.openai_compatible import trying

        served, _ = await self._found(deadline)
        sight = await trying.sight(lambda request: self._completed(request, None, deadline, trial=True))
        self._served = replace(served, images=sight in ("read", "taken"))
        return sight

    async def _check_images(self, served: Served, deadline: float) -> None:
        """Some servers drop an image without a word, and the model then invents what it saw. Raises ModelError."""
        if served.images is None:
            served = replace(served, images=await self._seen(deadline) in ("read", "taken"))
        if not served.images:
            raise ModelError(
                f"{served.name} at {self._line.server} takes no images, or drops them; "
                "serve a multimodal model, such as medgemma-27b-it (llama.cpp: with its --mmproj file)"
            )

    async def _asked(self, sent: dict[str, Any], deadline: float, on_text: OnText | None = None) -> Hearing:
        as_json = "response_format" in sent
        heard = await self._line.ask(sent, lambda: Hearing(on_text, json=as_json), deadline)
        self._answering = shown(heard.model) or self._answering
        self._counts = heard.counted
        return heard

    async def _completed(
        self, request: Request, on_text: OnText | None, deadline: float, *, trial: bool = False
    ) -> Completion:
        served, grammar = await self._found(deadline)
        if not trial and any(message.pictures for message in request.messages):
            await self._check_images(served, deadline)
        sent = body(request, served.id, grammar.form, think=request.thinking > 0)
        live = request.schema is None or (grammar.enforced and not request.thinking)
        heard = await self._asked(sent, deadline, on_text if live else None)
        used = await self._used(heard, sent)
        self._refuse_cut(served, used)
        thought = heard.thought
        if request.schema is not None:
            # Repairs are under the grammar also where the first answer was not, since it was to begin with thinking.
            base = {**body(request, served.id, grammar.form), "messages": sent["messages"]}
            heard, used = await self._repaired(heard, used, base, request.schema, deadline)
            if live and used.calls > 1:
                self._grammar = replace(grammar, bounded=False)  # the trial said more than the server keeps
            if on_text is not None and heard.text and not live:
                on_text(heard.text)
        finish: Literal["stop", "length"] = "length" if heard.finish == "length" else "stop"
        return Completion(text=heard.text, used=used, finish=finish, thought=thought)

    async def _repaired(
        self, heard: Hearing, used: Used, base: dict[str, Any], schema: Mapping[str, Any], deadline: float
    ) -> tuple[Hearing, Used]:
        """The first answer that the schema accepts, of at most three; one that the token bound cut is left as it is."""
        for left in reversed(range(REPAIRS + 1)):
            wrong = fault(heard.text, schema)
            if wrong and fault(bare(heard.text), schema) is None:
                heard.text, wrong = bare(heard.text), None
            if wrong is None or heard.finish == "length":
                return heard, used
            if left:
                again = repair(base, heard.text, wrong)
                heard = await self._asked(again, deadline)
                used = _sum(used, await self._used(heard, again))
        raise ModelError(
            f"an answer of {self._line.server} did not fit the schema, nor did {REPAIRS} repairs; "
            "use a server that enforces schemas while decoding, or a larger model"
        )

    async def _used(self, heard: Hearing, sent: Mapping[str, Any]) -> Used:
        """What it took; the prompt of a server that counts nothing is counted by its tokenizer, else estimated."""
        if heard.counted:
            return heard.used()
        said = "\n".join(text_of(message) for message in sent["messages"])
        found = await self._line.peek("/extras/tokenize/count", post={"input": said})
        count = found.get("count") if isinstance(found, dict) else None
        return heard.used(count if isinstance(count, int) else round(len(said) / _CHARACTERS))

    def _refuse_cut(self, served: Served, used: Used) -> None:
        """Ollama cuts a prompt that is too long without a word: an answer from a part of the cards is none."""
        if served.software == "ollama" and served.context and used.prompt >= served.context:
            raise ModelError(
                f"the prompt fills the context of {served.context} tokens of {self._line.server}, which cuts it then; "
                "set OLLAMA_CONTEXT_LENGTH higher there, or lower CHARTLINE_TOKENS"
            )


def _sum(one: Used, two: Used) -> Used:
    return Used(
        prompt=one.prompt + two.prompt,
        cached=one.cached + two.cached,
        completion=one.completion + two.completion,
        thinking=one.thinking + two.thinking,
        calls=one.calls + two.calls,
        first_token=one.first_token,
        seconds=one.seconds + two.seconds,
    )
