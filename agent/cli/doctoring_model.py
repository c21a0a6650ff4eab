"""`chartline doctor --model`: what a model server, or weights of this machine, really do, for the eye or as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from rich.console import Group, RenderableType
from rich.text import Text

from agent import settings
from agent.cli.doctoring import finding_row
from agent.cli.output import clean, console, emit, safe_json
from agent.errors import EXIT_OK, EXIT_OPERATOR, ModelError, OperatorError, UserError, one_line
from fhir_tools.remote.findings import Level

if TYPE_CHECKING:
    from agent.models.openai_compatible import Trial

__all__ = ["ModelFinding", "ModelReport", "doctor_model", "findings_of", "report_view"]

Area = Literal["model", "context", "reading", "schemas", "images", "thinking", "speed"]
_TITLES: dict[Area, str] = {
    "model": "What answers",
    "context": "Context",
    "reading": "Reading",
    "schemas": "Schemas",
    "images": "Images",
    "thinking": "Thinking",
    "speed": "Speed",
}
_LEAST, _FINE = 4096, 8192
"""Tokens of context: instructions, cards of the default budget and an answer; room for a thread and notes."""
_SLOW_FIRST, _SLOW_RATE = 15.0, 5.0
_FORMS = {
    "schema": "response_format json_schema",
    "shaped": "response_format json_object with a schema",
    "object": "response_format json_object",
    "none": "no response_format",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFinding:
    """One thing that was found, at a level as of `fhir_tools.remote.findings`; `remedy` says what would change it."""

    area: Area
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """All that was found at `base`; `trial` are the figures, None where nothing answered."""

    base: str
    findings: tuple[ModelFinding, ...]
    trial: dict[str, Any] | None = None

    @property
    def usable(self) -> bool:
        """Whether the model can be used at all."""
        return not any(finding.level == "bad" for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """The report as JSON types."""
        return {"usable": self.usable, **asdict(self)}


def doctor_model(where: str | None, *, as_json: bool) -> int:
    """Look at a model and tell what was found; the exit code is 3 when it cannot be used.

    `where` is a base URL, or the name of a model at the server of the settings; None is what the settings say.
    Raises UserError where no server is named, or a setting is wrong.
    """
    given = settings.read()
    base, name = _named(where, _setting(given, "model_url"), _setting(given, "model"))
    with console(err=True).status("asking the model …"):
        report = asyncio.run(_looked(base, name, getattr(given, "model_key", None), given))
    if as_json:
        print(safe_json(report.as_json()))
    else:
        emit(console(), report_view(report))
    return EXIT_OK if report.usable else EXIT_OPERATOR


def _setting(given: object, name: str) -> str | None:
    value = getattr(given, name, None)
    return str(value) if value else None


def _named(where: str | None, base: str | None, name: str | None) -> tuple[str, str | None]:
    """The server, and the model that is asked for: another server is asked for the one that it has."""
    if where and "://" in where:
        return where, name if base and where.rstrip("/") == base.rstrip("/") else None
    if base is None:
        raise UserError("doctor looks at a model server: give its base URL by --model, or set CHARTLINE_MODEL_URL")
    return base, where or name


async def _looked(base: str, name: str | None, key: Any, given: object) -> ModelReport:
    from agent.models.openai_compatible import OpenAICompatible

    try:
        async with OpenAICompatible(base, model=name, key=key, ca=_setting(given, "model_ca")) as model:
            trial = await model.probe()
    except ModelError as error:
        return ModelReport(base=base, findings=(_bad(error),))
    return ModelReport(base=trial.base, findings=tuple(findings_of(trial)), trial=asdict(trial))


def _bad(error: OperatorError) -> ModelFinding:
    """The errors of models say what failed and, after a semicolon, what to do."""
    text, _, remedy = one_line(error).partition("; ")
    return ModelFinding(area="model", level="bad", text=text, remedy=remedy)


def findings_of(trial: Trial) -> Iterator[ModelFinding]:
    """What a trial means for answers, area by area."""
    by = f" ({trial.software})" if trial.software else ""
    yield ModelFinding(area="model", level="good", text=f"{trial.card.name} answers{by}")
    if not trial.counts:
        text = "the server does not count tokens of streamed answers: usage is estimated"
        yield ModelFinding(area="model", level="note", text=text)
    yield _context(trial)
    yield _reading(trial)
    yield _schemas(trial)
    yield _images(trial)
    if trial.thinks is not None:
        yield _thinking(trial)
    yield from _speed(trial)


def _context(trial: Trial) -> ModelFinding:
    length = trial.card.context
    longer = {
        "vllm": "--max-model-len",
        "llama.cpp": "-c (it is shared by its -np slots)",
        "llama-cpp-python": "--n_ctx",
        "ollama": "OLLAMA_CONTEXT_LENGTH",
    }.get(trial.software, "a longer context")
    if not length:
        text = "the server does not tell its context"
        remedy = f"make sure that it is {_FINE} tokens or more"
        return ModelFinding(area="context", level="note", text=text, remedy=remedy)
    if trial.most:
        text = f"the model could take {length} tokens; what the server was given is not told"
        return ModelFinding(area="context", level="note", text=text, remedy=f"set {longer} to {_FINE} or more")
    level: Level = (
        "bad" if length < _LEAST // 2 else "poor" if length < _LEAST else "note" if length < _FINE else "good"
    )
    remedy = f"serve it with {longer} of {_FINE} or more, or lower CHARTLINE_TOKENS" if length < _FINE else ""
    return ModelFinding(area="context", level=level, text=f"{length} tokens", remedy=remedy)


def _reading(trial: Trial) -> ModelFinding:
    """Releases of servers have given Gemma 3's layers the wrong window: long prompts were garbled then."""
    reach = trial.reach
    if reach is None:
        text = "not tried: a prompt of some 1,500 tokens does not fit the context"
        return ModelFinding(area="reading", level="note", text=text)
    far = f"at the start of a prompt of {reach.prompt} tokens"
    compare = "compare with the same weights elsewhere, such as another release of the server (docs/serving.md)"
    match reach.found:
        case "far":
            return ModelFinding(area="reading", level="good", text=f"a line {far} was found again")
        case "near":
            text = f"a line at the end was found again, one {far} was not: layers may see less than they should"
        case "none":
            text = f"neither a line {far} nor one at its end was found again: the model is small, or its output garbled"
    return ModelFinding(area="reading", level="poor", text=text, remedy=compare)


def _schemas(trial: Trial) -> ModelFinding:
    form = _FORMS[trial.form]
    if trial.card.grammar == "decoding":
        return ModelFinding(area="schemas", level="good", text=f"enforced while decoding, by {form}")
    text = "not enforced: answers are checked, and asked for again where they do not fit"
    if trial.form in ("schema", "shaped"):
        text = f"values are enforced by {form}, lengths of texts are not: answers are checked, and asked for again"
    remedy = "serve it with vLLM 0.10 or newer, or with llama.cpp's server, which enforce json_schema"
    return ModelFinding(area="schemas", level="poor", text=text, remedy=remedy)


def _images(trial: Trial) -> ModelFinding:
    match trial.images:
        case "read" if trial.in_order:
            return ModelFinding(area="images", level="good", text="two coloured squares were told apart")
        case "read":
            text = "two coloured squares were told apart, but not when both were in one prompt"
            return ModelFinding(area="images", level="poor", text=text, remedy="ask about one image at a time")
        case "taken":
            text = "images are part of the prompt, but a red and a blue square were not told apart"
            remedy = "if this is a multimodal model, see its vision weights and the server's release (docs/serving.md)"
            return ModelFinding(area="images", level="poor", text=text, remedy=remedy)
        case "ignored":
            text = "images are dropped without a word: answers about them would be invented, so none are sent"
        case "refused":
            text = "none: the server refuses them, or fails over them"
    remedy = "for images serve a multimodal model, such as medgemma-27b-it; llama.cpp needs its --mmproj file as well"
    return ModelFinding(area="images", level="note", text=text, remedy=remedy)


def _thinking(trial: Trial) -> ModelFinding:
    if trial.thinks:
        return ModelFinding(area="thinking", level="good", text="thinks where it is asked to, and is told apart")
    text = "no thinking came where it was asked for"
    remedy = "serve it so that <unused94> and <unused95> are not stripped, or with a parser for reasoning"
    return ModelFinding(area="thinking", level="note", text=text, remedy=remedy)


def _speed(trial: Trial) -> Iterator[ModelFinding]:
    pace = trial.pace
    slow = pace.first > _SLOW_FIRST or 0 < pace.rate < _SLOW_RATE
    rate = f"{pace.rate:.1f} tokens/s" if pace.rate else "too few tokens came to tell how many a second"
    text = f"first token after {pace.first:.2f} s of a new prompt of {pace.prompt} tokens; then {rate}"
    remedy = "use a GPU, a smaller model or fewer bits; an answer takes about 80 tokens" if slow else ""
    yield ModelFinding(area="speed", level="poor" if slow else "good", text=text, remedy=remedy)
    told = f"first token after {pace.second:.2f} s of a second prompt that begins the same"
    if pace.cached > pace.prompt / 2:
        yield ModelFinding(area="speed", level="good", text=f"{told}: {pace.cached} tokens were reused")
    elif pace.second < 0.6 * pace.first:
        text = f"{told}: its beginning seems to be reused, though the server does not say so"
        remedy = "vLLM tells with --enable-prompt-tokens-details" if trial.software == "vllm" else ""
        yield ModelFinding(area="speed", level="good", text=text, remedy=remedy)
    else:
        remedy = "turn on prefix caching (vLLM: --enable-prefix-caching; llama.cpp with Gemma 3: --swa-full)"
        little = f"only {pace.cached} tokens were reused" if pace.cached else "nothing seems to be reused"
        yield ModelFinding(area="speed", level="note", text=f"{told}: {little}", remedy=remedy)


def report_view(report: ModelReport) -> RenderableType:
    """The report for the terminal: areas with their findings and remedies, and the verdict last."""
    parts: list[RenderableType] = [Text.assemble(("chartline doctor  ", "dim"), (clean(report.base), "bold"))]
    for area in get_args(Area):
        shown = [
            finding_row(finding.level, finding.text, finding.remedy)
            for finding in report.findings
            if finding.area == area
        ]
        if shown:
            parts += [Text(), Text(_TITLES[area], style="bold"), *shown]
    return Group(*parts, Text(), _verdict(report))


def _verdict(report: ModelReport) -> RenderableType:
    poor = sum(finding.level == "poor" for finding in report.findings)
    if not report.usable:
        return Text("The model cannot be used: see ✗ above.", style="bold red")
    if poor:
        return Text(f"The model can be used; {poor} finding{'s' if poor > 1 else ''} (!) will cost.", style="yellow")
    return Text("All good: the model can be used.", style="green")
