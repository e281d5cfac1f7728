"""What an answer says about why it is no success, in one masked line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.extract.wire import Response

MAX_REASON = 300
"""The longest reason, in characters."""

_MAX_READ = 20_000  # of a text, before masking: a whole page given as a reason need not be searched


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """The error of an answer: that of Elasticsearch, or what stands in its place.

    Attributes:
        type: Elasticsearch's name for the error; None where it is another's answer, or only a text.
        reason: its text; None where there is none (Elasticsearch sends null too).
        root: type and reason of the first root cause, where it says more than the error itself.
        is_object: whether the error has the form of Elasticsearch 8: an object with a type.
    """

    type: str | None = None
    reason: str | None = None
    root: str | None = None

    @property
    def is_object(self) -> bool:
        """Tell whether it has the form that Elasticsearch 8 gives an error: an object with a type."""
        return self.type is not None


def read_envelope(body: bytes) -> Envelope:
    """Read the error of an answer; whatever is no JSON object gives an empty one."""
    try:
        value = jsontext.decode(body)
    except jsontext.NotJsonError:
        return Envelope()
    if not isinstance(value, dict):
        return Envelope()
    error = value.get("error")
    if not isinstance(error, dict):
        # Before 8.12 the error is a text; what stands in front of a cluster says `message`.
        return Envelope(reason=_text(error) or _text(value.get("message")))
    return Envelope(type=_text(error.get("type")), reason=_text(error.get("reason")), root=_root(error))


def describe(response: Response, envelope: Envelope, mask: Callable[[str], str]) -> str:
    """Say status, type, reason and root cause in one masked line."""
    parts = [envelope.type, envelope.reason]
    said = ": ".join(part for part in parts if part)
    if not said:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        said = f"no error of Elasticsearch in the answer ({kind or 'no content type'}, {len(response.body)} bytes)"
    if envelope.root:
        said += f" ({envelope.root})"
    return one_line(f"{response.status}: {said}", mask)


def one_line(text: str, mask: Callable[[str], str], limit: int = MAX_REASON) -> str:
    """Mask a text, make it one line, and cut it: in this order, for half a secret is not recognised."""
    line = " ".join(mask(text[:_MAX_READ]).split())
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _root(error: dict[str, Any]) -> str | None:
    causes = error.get("root_cause")
    first = causes[0] if isinstance(causes, list) and causes else None
    if not isinstance(first, dict):
        return None
    said = [_text(first.get("type")), _text(first.get("reason"))]
    if said == [_text(error.get("type")), _text(error.get("reason"))]:
        return None
    return ": ".join(part for part in said if part) or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
