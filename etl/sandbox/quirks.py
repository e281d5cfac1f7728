"""Oddities that any writer may leave, since Elasticsearch gives back what was stored: one is put into a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from etl.sandbox import stamps
from etl.sandbox.moments import milliseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.jsontext import JsonValue
    from etl.sandbox.dice import Dice

Json: TypeAlias = "dict[str, JsonValue]"
Oddity: TypeAlias = "Callable[[Json, Dice, int], None]"


def bend(document: Json, dice: Dice, *, created: int) -> None:
    """Put one oddity into the document, in place; where the document has no room for the one drawn, none.

    Args:
        document: a sync job.
        dice: what decides.
        created: when the job was created, in nanoseconds since 1970.
    """
    _drawn(dice)(document, dice, created)


def touches_index(dice: Dice, *, created: int) -> bool:
    """Tell whether the oddity that these dice draw would change what the index sorts and filters by.

    Args:
        dice: as `bend` would be given them, and not to be used again.
        created: when the job was created, in nanoseconds since 1970.
    """
    oddity = _drawn(dice)
    if oddity is _bend_time:
        return milliseconds(stamps.odd(created, dice)) != created // 1_000_000
    return oddity is _unknown_job_type


def _drawn(dice: Dice) -> Oddity:
    if dice.chance(0.35):
        return _bend_configuration
    if dice.chance(0.3):
        return _bend_time
    return dice.pick(_ODDITIES)


def _bend_configuration(document: Json, dice: Dice, _created: int) -> None:
    configuration = document.get("connector", document).get("configuration")
    if configuration:
        names = list(configuration)
        dice.pick(_ENTRY_ODDITIES)(configuration, dice.pick(names))


def _null_entry(configuration: Json, name: str) -> None:
    configuration[name] = None


def _stub_entry(configuration: Json, _name: str) -> None:
    configuration["authentication"] = {"label": "Authentication", "order": 0, "type": "category"}


def _scalar_entry(configuration: Json, name: str) -> None:
    entry = configuration[name]
    configuration[name] = entry["value"] if not isinstance(entry["value"], dict | list) else "bare"


def _unknown_key(configuration: Json, name: str) -> None:
    configuration[name] |= {"display_value": configuration[name]["value"]}


def _untyped(configuration: Json, name: str) -> None:
    configuration[name].pop("type", None)
    configuration[name] |= {"display": None, "required": None}


def _number_for_text(configuration: Json, name: str) -> None:
    configuration[name] |= {"type": "str", "value": 456}


def _text_for_number(configuration: Json, name: str) -> None:
    configuration[name] |= {"type": "int", "value": "1000", "default_value": ""}


def _empty_for_number(configuration: Json, name: str) -> None:
    configuration[name] |= {"type": "int", "value": "", "order": "3"}


def _structure(configuration: Json, name: str) -> None:
    configuration[name] |= {
        "value": {"rules": [{"allow": "/docs"}], "auth": {"user": "crawler", "password": "pässword1"}}
    }


_ENTRY_ODDITIES: tuple[Callable[[Json, str], None], ...] = (
    _null_entry,
    _stub_entry,
    _scalar_entry,
    _unknown_key,
    _untyped,
    _number_for_text,
    _text_for_number,
    _empty_for_number,
    _structure,
)


def _bend_time(document: Json, dice: Dice, created: int) -> None:
    if "created_at" in document:
        document["created_at"] = stamps.odd(created, dice)


def _extra_in_connector(document: Json, _dice: Dice, _created: int) -> None:
    if "connector" in document:
        document["connector"] |= {
            "last_sync_status": "completed",
            "features": {"sync_rules": {"basic": {"enabled": True}}},
        }


def _extra_at_top(document: Json, dice: Dice, _created: int) -> None:
    document["_reindexed_from"] = {"cluster": "old", "attempt": dice.between(1, 5), "exact": 9_007_199_254_740_993}


def _unset_enums(document: Json, _dice: Dice, _created: int) -> None:
    """Python's enums admit None."""
    document["trigger_method"] = None


def _unknown_job_type(document: Json, _dice: Dice, _created: int) -> None:
    document["job_type"] = "permissions"


def _text_counter(document: Json, _dice: Dice, _created: int) -> None:
    document["total_document_count"] = "unknown"


def _fraction(document: Json, _dice: Dice, _created: int) -> None:
    document["indexed_document_volume"] = 12.5


def _text_flag(document: Json, _dice: Dice, _created: int) -> None:
    pipeline = document.get("connector", document).get("pipeline")
    if pipeline:
        pipeline["run_ml_inference"] = "sometimes"


def _bad_time(document: Json, _dice: Dice, _created: int) -> None:
    document["last_seen"] = "just now"


def _number_for_host(document: Json, _dice: Dice, _created: int) -> None:
    document["worker_hostname"] = 4711


def _null_names(document: Json, _dice: Dice, _created: int) -> None:
    if "service_type" in document.get("connector", {}):
        document["connector"] |= {"service_type": None, "index_name": None}


_ODDITIES: tuple[Oddity, ...] = (
    _extra_in_connector,
    _extra_at_top,
    _unset_enums,
    _unknown_job_type,
    _text_counter,
    _fraction,
    _text_flag,
    _bad_time,
    _number_for_host,
    _null_names,
)
