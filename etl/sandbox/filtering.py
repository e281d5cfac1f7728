"""The `filtering` of a job in all its shapes: object, array, `{}`, `[]`, null and missing; snippets, rules, errors."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Final, TypeAlias

from etl.sandbox import stamps
from etl.sandbox.outline import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.jsontext import JsonValue
    from etl.sandbox.dice import Dice
    from etl.sandbox.outline import Outline

Part: TypeAlias = "dict[str, JsonValue]"

MISSING: Final = object()
"""Says that the document has no `filtering` at all."""

_RULES = (
    ("exclude", "path", "starts_with", "/archive/"),
    ("exclude", "name", "ends_with", ".tmp"),
    ("exclude", "title", "contains", "draft, do not index"),
    ("include", "department", "equals", "Legal"),
    ("exclude", "size", ">", "10485760"),
    ("exclude", "updated_at", "<", "2019-01-01T00:00:00Z"),
    ("include", "author", "regex", r"^(?!bot-).+\d*$"),
)
_RAW_VALUES = (42, 1.5, True, None, ["a", "b"])

_OBJECT_SNIPPETS: dict[str, JsonValue] = {
    "mongodb": {"aggregate": {"pipeline": [{"$match": {"state": "open", "total": {"$gt": 100}}}], "options": {}}},
    "sharepoint_online": {"skipExtractingDriveItemsOlderThan": 60},
}
_ARRAY_SNIPPETS: dict[str, JsonValue] = {
    "postgresql": [{"tables": ["orders"], "query": "SELECT * FROM orders WHERE country = 'DE' -- Umsätze"}],
    "mssql": [
        {"tables": ["dbo.items", "dbo.lots"], "query": "SELECT i.id, l.lot FROM items i JOIN lots l ON l.i = i.id"}
    ],
    "s3": [{"bucket": "reports", "prefix": "2025/", "extension": [".pdf", ".docx"]}],
    "confluence": [{"query": "space = 'DEV' and type = page"}],
    "jira": [{"query": "project = OPS AND status != Done"}],
    "github": [{"repository": "search", "filter": {"branch": "main", "issue": "is:open", "pr": "is:merged"}}],
    "network_drive": [{"pattern": "Shared/Documents/**/*.docx"}],
}
_VALIDATION_ERRORS: tuple[Part, ...] = (
    {"ids": ["rule-2"], "messages": ["Basic rule 'size > 10485760': field is no number in the source."]},
    {"ids": ["advanced_snippet"], "messages": ["Tables not found or inaccessible: orders_old.", "Check the grants."]},
    {"ids": [], "messages": []},
    {"ids": "advanced_snippet", "messages": "Advanced filtering is not supported by this connector."},
    {"ids": "rule-3", "messages": ["Basic rules with the same id: rule-3."]},
)


def filtering_of(outline: Outline, dice: Dice) -> JsonValue:
    """Return what stands under `filtering`, or MISSING."""
    return _BY_WRITER[outline.writer](outline, dice)


def _java(outline: Outline, dice: Dice) -> JsonValue:
    """Elasticsearch writes all three parts, or leaves the key out where the connector has no filtering."""
    if dice.chance(0.05):
        return MISSING
    return _active(outline, dice, stamps.java)


def _kibana(outline: Outline, dice: Dice) -> JsonValue:
    point = dice.share()
    if point < 0.35:  # noqa: PLR2004 - a share
        return None
    active = _active(outline, dice, stamps.kibana)
    return [active] if point < 0.45 else active  # noqa: PLR2004 - a share


def _python(outline: Outline, dice: Dice) -> JsonValue:
    """The service copies the active filter as it stands, and writes an empty one where there is none."""
    point = dice.share()
    if point < 0.08:  # noqa: PLR2004 - a share
        return {}
    if point < 0.5:  # noqa: PLR2004 - a share
        return {"advanced_snippet": {}, "rules": []}
    active = _active(outline, dice, stamps.kibana)
    if dice.chance(0.3):
        for rule in active["rules"]:
            _loosen(rule, dice)
    if dice.chance(0.2):
        del active["validation"]
    return active


def _ruby(outline: Outline, dice: Dice) -> JsonValue:
    """An array of domains with warnings; the snippet is the bare value; nothing is validated."""
    if dice.chance(0.3):
        return []
    snippet = _snippet_value(outline, dice)
    domain = {
        "domain": "DEFAULT",
        "rules": [_rule(position, dice, None) for position in range(dice.skewed(1, 4))],
        "advanced_snippet": snippet,
        "warnings": ["Snippet ignored: not supported before 8.7."] if snippet else [],
    }
    second = {"domain": "CRAWLER", "rules": [], "advanced_snippet": {}, "warnings": []}
    return [domain, second] if dice.chance(0.1) else [domain]


def _flat(outline: Outline, dice: Dice) -> JsonValue:
    return _ruby(outline, dice) if dice.chance(0.6) else _python(outline, dice)


def _none(_outline: Outline, _dice: Dice) -> JsonValue:
    return MISSING


_BY_WRITER: dict[Writer, Callable[[Outline, Dice], JsonValue]] = {
    Writer.FLAT: _flat,
    Writer.RUBY: _ruby,
    Writer.PYTHON_8_6: _none,
    Writer.PYTHON_8_7: _python,
    Writer.PYTHON_8_9: _python,
    Writer.KIBANA: _kibana,
    Writer.JAVA: _java,
}


def _active(outline: Outline, dice: Dice, stamp: Callable[[int], str]) -> Part:
    edited = stamp(outline.created - dice.between(1, 400) * stamps.DAY)
    value = _snippet_value(outline, dice)
    snippet: Part = {"created_at": edited, "updated_at": edited, "value": value}
    if dice.chance(0.03):
        del snippet["value"]
    errors = [deepcopy(dice.pick(_VALIDATION_ERRORS)) for _ in range(dice.between(1, 2))] if dice.chance(0.06) else []
    state = "invalid" if errors else "edited" if dice.chance(0.05) else "valid"
    return {
        "advanced_snippet": snippet,
        "rules": [_rule(position, dice, edited) for position in range(1 if dice.chance(0.5) else dice.between(2, 7))],
        "validation": {"errors": errors, "state": state},
    }


def _snippet_value(outline: Outline, dice: Dice) -> JsonValue:
    point = dice.share()
    if point < 0.02:  # noqa: PLR2004 - a share
        return None
    if point < 0.6:  # noqa: PLR2004 - a share
        return {}
    service = outline.connector.service_type
    return deepcopy(_ARRAY_SNIPPETS.get(service, _OBJECT_SNIPPETS.get(service, {})))


def _rule(position: int, dice: Dice, edited: str | None) -> Part:
    """The last rule of every list is the one that includes the rest; here the first, so that one is always there."""
    if position == 0:
        rule: Part = {"id": "DEFAULT", "order": 0, "policy": "include", "field": "_", "rule": "regex", "value": ".*"}
    else:
        policy, field, kind, value = dice.pick(_RULES)
        rule = {
            "id": f"rule-{position}",
            "order": position,
            "policy": policy,
            "field": [field, f"meta.{field}"] if dice.chance(0.05) else field,
            "rule": kind,
            "value": value,
        }
    return {"created_at": edited, "updated_at": edited, **rule} if edited else rule


def _loosen(rule: Part, dice: Dice) -> None:
    """Take away what only Elasticsearch and Kibana make sure of."""
    if dice.chance(0.5):
        rule["created_at"] = rule["updated_at"] = None
    else:
        del rule["created_at"], rule["updated_at"]
    if dice.chance(0.5):
        rule["value"] = deepcopy(dice.pick(_RAW_VALUES))
