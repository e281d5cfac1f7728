"""The redactor: no secret gets past it. A document in, a document out that may be kept, shown and transformed.

It runs in two passes. The first withholds configuration values wherever a configuration can stand; the second masks
what was withheld, and what looks like a secret, in all text that is no plain column. Redacting a redacted document
changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.jsontext import JsonValue, dump
from etl.scrub import Masker
from etl.transform.marker import is_marker
from etl.transform.masking import DOCUMENT_SHAPE, Masking, json_in
from etl.transform.withhold import CONFIGURATION_KEY, Withheld, configuration, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable

REDACTOR_VERSION = 2
"""Raised when the rules withhold or mask more; published rows are then redacted again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Redacted:
    """A document that may be kept.

    Attributes:
        document: with markers in place of values and masks in texts.
        redacted: values replaced by markers.
        masked: texts in which something was masked.
        refused: fields named with `--expose` that are secrets and stay withheld.
    """

    document: JsonValue
    redacted: int
    masked: int
    refused: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class RedactedPart:
    """A part of a document that may be kept.

    Attributes:
        document: the part, with markers in place of values and masks in texts.
        withheld: what was withheld from it.
        masked: texts in which something was masked.
        asked: whether the result depends on the secrets that were known.
    """

    document: JsonValue
    withheld: Withheld
    masked: int
    asked: bool


def redact(document: JsonValue, exposed: frozenset[str] = frozenset(), *, plain_columns: bool = True) -> Redacted:
    """Redact one document.

    Args:
        document: a decoded sync job, or any JSON value.
        exposed: configuration fields whose values may be shown.
        plain_columns: True leaves typed columns (ids, names, hosts) as they are; False masks them too, for answers
            that are no sync job.

    Returns:
        The redacted copy, with counts. Keys stay in their order.
    """
    part = redact_part(document, exposed, plain_columns=plain_columns)
    withheld = part.withheld
    return Redacted(
        document=part.document, redacted=withheld.count, masked=part.masked, refused=frozenset(withheld.refused)
    )


def redact_part(
    part: JsonValue,
    exposed: frozenset[str],
    *,
    plain_columns: bool = True,
    masker: Callable[[], Masker] | None = None,
) -> RedactedPart:
    """Redact one document, or a document that holds a part of another.

    Args:
        part: as for `redact`.
        exposed: as for `redact`.
        plain_columns: as for `redact`.
        masker: gives what masks the secrets of the whole document, and is called only where a text asks for it; by
            default those that are withheld here.
    """
    withheld = Withheld()
    part = _withhold(part, exposed, withheld)
    own = Masker(withheld.secrets)
    masking = Masking(masker or (lambda: own))
    part = masking.walk(part, DOCUMENT_SHAPE if plain_columns else None)
    return RedactedPart(document=part, withheld=withheld, masked=masking.count, asked=masking.asked)


def _withhold(value: JsonValue, exposed: frozenset[str], withheld: Withheld) -> JsonValue:
    """First pass: find each configuration, under `connector`, at top level, under a dotted key or anywhere else."""
    if isinstance(value, str):
        return _withhold_in_text(value, exposed, withheld)
    if isinstance(value, list):
        return [_withhold(item, exposed, withheld) for item in value]
    if not isinstance(value, dict) or is_marker(value):
        return value

    def replace(key: str, inner: JsonValue) -> JsonValue:
        if _IN_CONFIGURATION.search(key):
            return withheld.replace(inner, name=key, sure=True)
        if CONFIGURATION_KEY.search(key):
            return configuration(inner, exposed, withheld)
        return _withhold(inner, exposed, withheld)

    return rebuilt(value, replace)


_IN_CONFIGURATION = re.compile(r"config(?:uration)?s?\..", re.IGNORECASE)  # a key such as connector.configuration.x


def may_hold_configuration(text: str) -> bool:
    """Tell whether a text could be the JSON of something that holds a configuration, or several texts one."""
    return "onfig" in text or "ONFIG" in text


def _withhold_in_text(value: str, exposed: frozenset[str], withheld: Withheld) -> str:
    """Withhold the configurations of a document that stands as JSON in a text."""
    inner = json_in(value) if may_hold_configuration(value) else None
    if inner is None:
        return value
    clean = _withhold(inner, exposed, withheld)
    return value if dump(clean) == dump(inner) else dump(clean)


def redacted_json(value: JsonValue, exposed: frozenset[str] = frozenset()) -> str:
    """Return an answer that is no sync job as JSON text that may be kept."""
    return dump(redact(value, exposed, plain_columns=False).document)
