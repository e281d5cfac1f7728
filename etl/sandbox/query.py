"""The part of the query language that reading sync jobs needs: a query in, a test of entries out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from etl import jsontext
from etl.sandbox import replies
from etl.sandbox.moments import last_millisecond, milliseconds
from etl.sandbox.replies import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.catalogue import Entry, View

Test: TypeAlias = "Callable[[Entry], bool]"
Value: TypeAlias = "Callable[[Entry], JsonValue]"

_DATES = frozenset({
    "cancelation_requested_at", "canceled_at", "completed_at", "created_at", "last_seen", "started_at",
})  # fmt: skip
_OTHERS = frozenset({
    "connector.id", "connector.index_name", "connector.language", "connector.service_type", "deleted_document_count",
    "error", "indexed_document_count", "indexed_document_volume", "job_type", "status", "total_document_count",
    "trigger_method", "worker_hostname",
})  # fmt: skip
_OF_ENTRIES: Mapping[str, Value] = {
    "_id": lambda entry: entry.id,
    "connector.id": lambda entry: entry.connector_id,
    "created_at": lambda entry: entry.created_ms,
    "job_type": lambda entry: entry.job_type,
    "status": lambda entry: entry.status,
}
_FORMATS = frozenset({"strict_date_optional_time", "strict_date_optional_time_nanos", "epoch_millis"})


def test_of(query: JsonValue, view: View) -> Test:
    """Return what a query asks of an entry.

    Fields that an entry does not hold are read from the documents of the view, which takes long. Fields outside the
    mapping match nothing, as in an index that is not dynamic.

    Args:
        query: None for all.
        view: where the entries come from.

    Raises:
        RefusedError: the query is none, or of a kind that the sandbox does not know.
    """
    if query is None:
        return lambda _entry: True
    name, body = _only_item(query, "query")
    if name not in _KINDS:
        raise RefusedError(replies.malformed(f"unknown query [{name}]"))
    if not isinstance(body, dict):
        raise RefusedError(replies.malformed(f"[{name}] query malformed, no start_object after query name"))
    return _KINDS[name](body, view)


def _only_item(value: JsonValue, what: str) -> tuple[str, JsonValue]:
    if not isinstance(value, dict) or len(value) != 1:
        msg = f"[{what}] malformed, expected an object with one field"
        raise RefusedError(replies.malformed(msg))
    return next(iter(value.items()))


def _value(field: str, view: View) -> Value | None:
    """Return what reads a field; None where the mapping does not have it."""
    if field in _OF_ENTRIES:
        return _OF_ENTRIES[field]
    if field in _DATES:
        return lambda entry: milliseconds(_read(view, entry, field))
    if field in _OTHERS:
        return lambda entry: _read(view, entry, field)
    return None


def _read(view: View, entry: Entry, field: str) -> JsonValue:
    stored = view.stored(entry.id)
    value = None if stored is None else jsontext.decode(stored.source)
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _match_all(_body: dict[str, JsonValue], _view: View) -> Test:
    return lambda _entry: True


def _match_none(_body: dict[str, JsonValue], _view: View) -> Test:
    return lambda _entry: False


def _term(body: dict[str, JsonValue], view: View) -> Test:
    field, wanted = _only_item(body, "term")
    if isinstance(wanted, dict):
        wanted = wanted.get("value")
    if not isinstance(wanted, str | int | float):
        raise RefusedError(replies.malformed("[term] query needs a value"))
    return _one_of(field, [wanted], view)


def _terms(body: dict[str, JsonValue], view: View) -> Test:
    field, wanted = _only_item(body, "terms")
    if not isinstance(wanted, list):
        raise RefusedError(replies.malformed("[terms] query requires an array of terms"))
    return _one_of(field, wanted, view)


def _one_of(field: str, wanted: list[JsonValue], view: View) -> Test:
    read = _value(field, view)
    if read is None:
        return lambda _entry: False
    if not all(isinstance(one, str | int | float) for one in wanted):
        msg = f"[terms] of [{field}] are texts and numbers"
        raise RefusedError(replies.malformed(msg))
    values = {milliseconds(one) if field in _DATES else one for one in wanted} - {None}

    def fits(entry: Entry) -> bool:
        value = read(entry)
        return isinstance(value, str | int | float) and value in values

    return fits


def _ids(body: dict[str, JsonValue], _view: View) -> Test:
    values = body.get("values")
    if not isinstance(values, list) or len(body) != 1:
        raise RefusedError(replies.malformed("[ids] query needs an array of values"))
    wanted = {str(one) for one in values}
    return lambda entry: entry.id in wanted


def _exists(body: dict[str, JsonValue], view: View) -> Test:
    field = body.get("field")
    if not isinstance(field, str) or len(body) != 1:
        raise RefusedError(replies.malformed("[exists] must be provided with a [field]"))
    read = _value(field, view)
    return lambda entry: read is not None and read(entry) is not None


def _range(body: dict[str, JsonValue], view: View) -> Test:
    field, bounds = _only_item(body, "range")
    if not isinstance(bounds, dict) or not bounds.keys() <= {"gt", "gte", "lt", "lte", "format"}:
        raise RefusedError(replies.malformed(f"[range] query on [{field}] takes gt, gte, lt, lte and format"))
    format_ = bounds.get("format")
    if format_ is not None and not set(str(format_).split("||")) <= _FORMATS:
        raise RefusedError(replies.illegal_argument(f"Invalid format: [{format_}]: the sandbox does not know it"))
    read = _value(field, view)
    if read is None:
        return lambda _entry: False
    read_bound = _date_bound if field in _DATES else _plain_bound
    low, high = float("-inf"), float("inf")
    for name, bound in bounds.items():
        if name == "format" or bound is None:
            continue
        value = read_bound(bound, name)
        if name[0] == "g":
            low = max(low, value + (name == "gt"))
        else:
            high = min(high, value - (name == "lt"))

    def fits(entry: Entry) -> bool:
        value = read(entry)
        return isinstance(value, int | float) and low <= value <= high

    return fits


def _date_bound(value: JsonValue, name: str) -> int:
    time_ms = last_millisecond(value) if name in {"gt", "lte"} else milliseconds(value)
    if time_ms is None:
        reason = f"failed to parse date field [{value}] with format [strict_date_optional_time||epoch_millis]"
        raise RefusedError(replies.error(400, {"type": "parse_exception", "reason": reason}))
    return time_ms


def _plain_bound(value: JsonValue, _name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise RefusedError(replies.illegal_argument(f'For input string: "{value}"'))
    return value


def _bool(body: dict[str, JsonValue], view: View) -> Test:
    unknown = sorted(body.keys() - {"filter", "must", "must_not", "should", "minimum_should_match"})
    if unknown:
        raise RefusedError(replies.malformed(f"[bool] query does not support [{unknown[0]}]"))
    needed = [*_clauses(body, "filter", view), *_clauses(body, "must", view)]
    excluded = _clauses(body, "must_not", view)
    optional = _clauses(body, "should", view)
    least = body.get("minimum_should_match", 1 if optional and not needed else 0)
    if isinstance(least, bool) or not isinstance(least, int):
        raise RefusedError(replies.malformed("[minimum_should_match] of the sandbox is a whole number"))
    return lambda entry: (
        all(test(entry) for test in needed)
        and not any(test(entry) for test in excluded)
        and (least <= 0 or sum(test(entry) for test in optional) >= least)
    )


def _clauses(body: dict[str, JsonValue], name: str, view: View) -> list[Test]:
    clauses = body.get(name, [])
    return [test_of(clause, view) for clause in (clauses if isinstance(clauses, list) else [clauses])]


_KINDS: Mapping[str, Callable[[dict[str, JsonValue], View], Test]] = {
    "bool": _bool,
    "exists": _exists,
    "ids": _ids,
    "match_all": _match_all,
    "match_none": _match_none,
    "range": _range,
    "term": _term,
    "terms": _terms,
}
