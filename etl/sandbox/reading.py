"""Parameters and bodies of requests, read or refused as Elasticsearch refuses them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etl import jsontext
from etl.sandbox import replies
from etl.sandbox.replies import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.request import Request

_SECONDS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+)(nanos|micros|ms|s|m|h|d)")
_INT = re.compile(r"-?[0-9]{1,10}")


def whole(parameters: Mapping[str, str], name: str, default: int) -> int:
    """Return a parameter that is a whole number from 0.

    Raises:
        RefusedError: it is none.
    """
    text = parameters.get(name)
    if text is None:
        return default
    if _INT.fullmatch(text) is None:
        raise RefusedError(replies.illegal_argument(f"Failed to parse int parameter [{name}] with value [{text}]"))
    number = int(text)
    if number < 0:
        raise RefusedError(replies.illegal_argument(f"Parameter [{name}] cannot be < 0"))
    return number


def flag(parameters: Mapping[str, str], name: str) -> bool:
    """Return a parameter that is true, also without a value, or false.

    Raises:
        RefusedError: it is neither.
    """
    text = parameters.get(name, "false")
    if text not in {"", "true", "false"}:
        reason = f"Failed to parse value [{text}] as only [true] or [false] are allowed."
        raise RefusedError(replies.illegal_argument(reason))
    return text != "false"


def listed(parameters: Mapping[str, str], name: str) -> list[str]:
    """Return a parameter that is a list separated by commas."""
    return [part for part in parameters.get(name, "").split(",") if part]


def seconds(text: JsonValue, name: str) -> float:
    """Return a duration such as `1m`.

    Raises:
        RefusedError: it is none.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        reason = (
            f"failed to parse setting [{name}] with value [{text}] as a time value: unit is missing or unrecognized"
        )
        raise RefusedError(replies.illegal_argument(reason))
    return int(match[1]) * _SECONDS[match[2]]


def json_object(request: Request) -> dict[str, JsonValue]:
    """Return the body of a request; an empty one is an empty object.

    Raises:
        RefusedError: it is no JSON object, or does not say that it is JSON.
    """
    if not request.body:
        return {}
    content_type = request.headers.get("content-type", "")
    media = content_type.partition(";")[0].strip().lower()
    if media not in {"application/json", "application/vnd.elasticsearch+json"}:
        raise RefusedError(replies.unsupported_content(content_type))
    try:
        value = jsontext.decode(request.body)
    except jsontext.NotJsonError as error:
        raise RefusedError(replies.unparsed("x_content_parse_exception", f"[1:1] {error}")) from error
    if not isinstance(value, dict):
        raise RefusedError(replies.malformed("Expected [START_OBJECT] but found another token"))
    return value


def known_keys(value: Mapping[str, JsonValue], known: frozenset[str]) -> None:
    """Refuse an object with a key that nobody knows.

    Raises:
        RefusedError: it has one.
    """
    unknown = [key for key in value if key not in known]
    if unknown:
        raise RefusedError(replies.malformed(f"unknown key [{unknown[0]}] in the body"))
