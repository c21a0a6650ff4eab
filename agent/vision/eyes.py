"""A question about an image → the multimodal chat model → findings. The model's words stay readings, never claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import prompts
from agent.errors import ModelError
from agent.models.base import ChatModel, Completion, Message, Request
from agent.models.base import Picture as Encoded
from agent.models.using import usage_of
from agent.prompt import shown_card
from agent.untrusted import escape
from agent.vision.schema import Said, read_reply, reply_schema
from agent.vision.types import Glance, Shown, Sight
from fhir_tools.imaging.types import Picture

__all__ = ["ANYTHING", "Eyes", "messages"]

ANYTHING = "What is abnormal on this image? Tell each finding."
"""What is asked where the question names nothing to look for."""
_COMPARED = " Tell of each finding how it changed since the PRIOR pictures."
_LONGEST = 300
_UNSAID = {
    True: "was cut off twice in its reply about an image: allow it a longer context",
    False: "does not reply about an image in the form asked for: name a vision model that keeps to a JSON schema",
}


class Eyes:
    """A multimodal chat model, and how long it may look. The model is the caller's to open and close.

    `tokens` bounds a reply, `seconds` each call. `images` (`agent.vision.pictures`) bounds what it is shown.
    """

    def __init__(self, model: ChatModel, *, tokens: int = 1024, seconds: float = 120.0) -> None:
        self.model, self._tokens, self._seconds = model, tokens, seconds

    async def read(self, glance: Glance, question: str = "") -> Sight:
        """What the model makes of the image. Raises ModelError: server down, a reply that is none, no pictures taken.

        One completion, or two where the first was cut off or is not of the form. Findings name frames and regions of
        the current image; the prior's pictures are there to compare with.
        """
        sent = messages(glance, question)
        pictures = glance.current.pictures
        schema = reply_schema(len(pictures), compared=glance.prior is not None)
        request = Request(messages=sent, schema=schema, tokens=self._tokens, seconds=self._seconds)
        done = await self.model.complete(request)
        said, usage = self._said(done, glance), usage_of(done.used)
        if said is None:
            short = prompts.load("shorter").user_text()
            told = replace(sent[-1], parts=(*sent[-1].parts, f"\n\n{short}"))
            done = await self.model.complete(replace(request, messages=(*sent[:-1], told)))
            said, usage = self._said(done, glance), usage.plus(usage_of(done.used))
        card = await self.model.describe()
        if said is None:
            raise ModelError(f"{card.name} {_UNSAID[done.finish == 'length']}")
        return Sight(
            image=glance.current.image,
            prior=glance.prior.image if glance.prior else None,
            model=card.name,
            revision=card.revision,
            findings=said.findings,
            impression=said.impression,
            missed=glance.current.missed,
            dropped=said.dropped,
            usage=usage,
        )

    def _said(self, done: Completion, glance: Glance) -> Said | None:
        return None if done.finish == "length" else read_reply(done.text, glance.current.pictures)


def messages(glance: Glance, question: str = "") -> tuple[Message, ...]:
    """The messages for one image: instructions, then the pictures (current ones first), then what is asked.

    Raises ValueError where there is no picture.
    """
    if not glance.current.pictures:
        raise ValueError("there is no picture to look at")
    prompt = prompts.load("image")
    asked = escape(question)[:_LONGEST] or ANYTHING
    parts = prompt.user_parts(
        patient=escape(glance.patient),
        pictures="\n".join(_captions(glance)),
        cards="\n".join(map(shown_card, glance.cards)),
        question=asked + (_COMPARED if glance.prior else ""),
    )
    shown = (*glance.current.pictures, *(glance.prior.pictures if glance.prior else ()))
    encoded = tuple(Encoded(data=p.data, media_type=p.media_type) for p in shown)
    user = Message(role="user", parts=(*parts[:-1], parts[-1].rstrip()), pictures=encoded)
    return Message(role="system", parts=(prompt.system,)), user


def _captions(glance: Glance) -> Iterator[str]:
    """A line for each picture, numbered as the reply names them; the prior's are told apart and have no number."""
    for number, picture in enumerate(glance.current.pictures, 1):
        yield f"Picture {number}: {_caption(glance.current, picture)}"
    if glance.prior:
        for picture in glance.prior.pictures:
            yield f"PRIOR picture: {_caption(glance.prior, picture)}"


def _caption(shown: Shown, picture: Picture) -> str:
    """What a picture is, in words of code: a file without tags is told by the study's modality."""
    when = shown.image.when
    day = when.text if when and when.text else "on a day not recorded"
    modality = "" if picture.description.modality else shown.image.modality
    return escape(", ".join(filter(None, (modality, picture.caption, f"taken {day}"))))
