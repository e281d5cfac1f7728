"""Realistic sync jobs, each from its number alone: in every shape that the writers of sync jobs left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from etl.sandbox import invented, stamps
from etl.sandbox.configuration import configuration_of
from etl.sandbox.course import course_of
from etl.sandbox.dice import Dice
from etl.sandbox.filtering import MISSING, filtering_of
from etl.sandbox.identity import id_of
from etl.sandbox.outline import Part, Writer, outline_of
from etl.sandbox.population import DEMO_POPULATION
from etl.sandbox.quirks import bend

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.jsontext import JsonValue
    from etl.sandbox.course import Course
    from etl.sandbox.outline import Outline
    from etl.sandbox.population import Population

Json: TypeAlias = "dict[str, JsonValue]"

_MEBIBYTE = 1024 * 1024
_MOST = 2_147_483_647  # the mapping's `integer`
_QUIRKY = 0.12
_ENDED = frozenset({"completed", "error", "canceled", "suspended"})


def generate_job(
    seed: int, number: int, *, step: int = 0, population: Population = DEMO_POPULATION, added: int | None = None
) -> Json:
    """Return a sync job as `GET /_connector/_sync_job/{id}` answers it; the caller owns it.

    Args:
        seed: of the whole sandbox, from 0; equal arguments give equal jobs, on every machine.
        number: of the job, from 0.
        step: how often the sandbox has been advanced: pending jobs start, running ones finish.
        population: whose jobs there are.
        added: the job's place, from 0, among those that came after the anchor; None for the others.
    """
    outline = outline_of(seed, number, step=step, population=population, added=added)
    course = course_of(seed, outline)
    dice = Dice(seed, number, Part.DOCUMENT)
    document = _BY_WRITER[outline.writer](outline, course, _connector(seed, outline, dice), dice)
    if not outline.is_dated:
        del document["created_at"]
    if added is None and dice.chance(_QUIRKY):  # added jobs have none: they are there for tests that count what is new
        bend(document, Dice(seed, number, Part.QUIRK), created=outline.created)
    return {"id": id_of(number), **document}


def _connector(seed: int, outline: Outline, dice: Dice) -> Json:
    connector = outline.connector
    index_name = connector.index_name
    if outline.kind == "access_control":
        index_name = f".search-acl-filter-{index_name}"
    part = {
        "id": connector.id,
        "filtering": filtering_of(outline, Dice(seed, outline.number, Part.FILTERING)),
        "index_name": index_name,
        "language": connector.language,
        "pipeline": _pipeline(outline, dice),
        "service_type": connector.service_type,
        "configuration": {} if dice.chance(0.03) else configuration_of(seed, outline, dice),
    }
    if part["filtering"] is MISSING:
        del part["filtering"]
    return part


def _pipeline(outline: Outline, dice: Dice) -> JsonValue:
    point = dice.share()
    if point < 0.03:  # noqa: PLR2004 - a share
        return {}
    if outline.writer is Writer.KIBANA and point < 0.4:  # noqa: PLR2004 - a share
        return None
    return {
        "extract_binary_content": True,
        "name": "search-default-ingestion" if point < 0.8 else f"{outline.connector.index_name}@custom",  # noqa: PLR2004 - a share
        "reduce_whitespace": point < 0.9,  # noqa: PLR2004 - a share
        "run_ml_inference": point > 0.95,  # noqa: PLR2004 - a share
    }


def _java(outline: Outline, course: Course, connector: Json, dice: Dice) -> Json:
    """Elasticsearch writes no nulls; the Python service adds the end, with `error: null` where there is none."""
    cursor = _cursor(outline, dice)
    if cursor is not None and course.started is not None:
        connector["sync_cursor"] = cursor
    last_seen = course.created if course.last_seen is None else course.last_seen
    document: Json = {
        "connector": connector,
        "created_at": stamps.java(course.created),
        "deleted_document_count": course.deleted,
        "indexed_document_count": course.indexed,
        "indexed_document_volume": _mebibytes(course),
        "job_type": outline.job_type,
        "last_seen": stamps.python(last_seen) if course.started is not None else stamps.java(last_seen),
        "metadata": _metadata(dice),
        "status": outline.status,
        "total_document_count": course.total or 0,
        "trigger_method": outline.trigger_method,
    }
    _add_time(document, "cancelation_requested_at", course.cancelation_requested, stamps.java)
    _add_time(document, "started_at", course.started, stamps.java)
    if course.worker is not None:
        document["worker_hostname"] = course.worker
    stamp = stamps.python if course.started is not None else stamps.java
    _add_time(document, "canceled_at", course.canceled, stamp)
    if outline.status in _ENDED and course.started is not None:
        document["error"] = course.error
    _add_time(document, "completed_at", course.completed, stamp)
    return document


def _kibana(outline: Outline, course: Course, connector: Json, dice: Dice) -> Json:
    """Kibana writes every field, also the ones that have no value yet."""
    document: Json = {
        "cancelation_requested_at": _optional(course.cancelation_requested, stamps.python),
        "canceled_at": _optional(course.canceled, stamps.python),
        "completed_at": _optional(course.completed, stamps.python),
        "connector": connector,
        "created_at": stamps.kibana(course.created),
        "deleted_document_count": course.deleted,
        "error": course.error,
        "indexed_document_count": course.indexed,
        "indexed_document_volume": _mebibytes(course),
        "job_type": outline.job_type,
        "last_seen": _optional(course.last_seen, stamps.python),
        "metadata": {},
        "started_at": _optional(course.started, stamps.python),
        "status": outline.status,
        "total_document_count": course.total,
        "trigger_method": outline.trigger_method,
        "worker_hostname": course.worker,
    }
    if course.started is not None:
        document["connector.sync_cursor"] = _cursor(outline, dice)
    return document


def _python(outline: Outline, course: Course, connector: Json, dice: Dice) -> Json:
    """The Python service writes what it knows when it knows it; from 8.9 on with a dotted key for the cursor."""
    document: Json = {"connector": connector, "trigger_method": outline.trigger_method}
    if outline.job_type is not None:
        document["job_type"] = outline.job_type
    document |= {
        "status": outline.status,
        "indexed_document_count": course.indexed,
        "indexed_document_volume": _mebibytes(course),
        "deleted_document_count": course.deleted,
        "created_at": stamps.python(course.created),
        "last_seen": stamps.python(course.created if course.last_seen is None else course.last_seen),
    }
    if course.started is None:
        _add_end(document, course, stamps.python)
        return document
    document |= {"started_at": stamps.python(course.started), "worker_hostname": course.worker}
    if outline.writer is Writer.PYTHON_8_9:
        document["connector.sync_cursor"] = _cursor(outline, dice)
    if outline.status in _ENDED:
        document["error"] = course.error
        _add_end(document, course, stamps.python)
        document["total_document_count"] = course.total
    return document


def _python_8_6(outline: Outline, course: Course, connector: Json, _dice: Dice) -> Json:
    """The first Python service kept the connector's id only."""
    return {
        "connector": {"id": connector["id"]},
        "trigger_method": outline.trigger_method,
        "status": outline.status,
        "error": course.error,
        "deleted_document_count": course.deleted,
        "indexed_document_count": course.indexed,
        "created_at": stamps.python(course.created),
        "completed_at": _optional(course.completed, stamps.python),
    }


def _ruby(outline: Outline, course: Course, connector: Json, dice: Dice) -> Json:
    """The Ruby service counts bytes, and keeps no counters until the job ends."""
    hours = dice.pick((0, 0, 2, -5))
    document: Json = {
        "status": outline.status,
        "created_at": stamps.kibana(course.created) if hours == 0 else stamps.ruby(course.created, hours),
        "last_seen": stamps.ruby(course.created if course.last_seen is None else course.last_seen, hours),
        "trigger_method": outline.trigger_method,
        "connector": connector,
    }
    _add_time(document, "started_at", course.started, lambda time: stamps.ruby(time, hours))
    if course.worker is not None:
        document["worker_hostname"] = course.worker
    _add_end(document, course, lambda time: stamps.ruby(time, hours))
    if outline.status in _ENDED:
        document |= {
            "error": course.error,
            "indexed_document_count": course.indexed,
            "deleted_document_count": course.deleted,
            "indexed_document_volume": min(course.volume, _MOST),
            "total_document_count": course.total,
            "metadata": _metadata(dice),
        }
    return document


def _flat(outline: Outline, course: Course, connector: Json, dice: Dice) -> Json:
    """In 8.5 there was no `connector`: its parts stand at the top."""
    document: Json = {
        "connector_id": connector["id"],
        "index_name": connector["index_name"],
        "pipeline": connector["pipeline"],
        "status": outline.status,
        "trigger_method": outline.trigger_method,
        "created_at": stamps.ruby(course.created, 0),
        "error": course.error,
        "worker_hostname": course.worker,
        "indexed_document_count": course.indexed,
        "deleted_document_count": course.deleted,
    }
    if "filtering" in connector:
        document["filtering"] = connector["filtering"]
    if dice.chance(0.3):
        document |= {"service_type": connector["service_type"], "configuration": connector["configuration"]}
    _add_time(document, "started_at", course.started, lambda time: stamps.ruby(time, 0))
    _add_end(document, course, lambda time: stamps.ruby(time, 0))
    return document


_BY_WRITER: dict[Writer, Callable[[Outline, Course, Json, Dice], Json]] = {
    Writer.FLAT: _flat,
    Writer.RUBY: _ruby,
    Writer.PYTHON_8_6: _python_8_6,
    Writer.PYTHON_8_7: _python,
    Writer.PYTHON_8_9: _python,
    Writer.KIBANA: _kibana,
    Writer.JAVA: _java,
}


def _mebibytes(course: Course) -> int:
    return round(course.volume / _MEBIBYTE)


def _metadata(dice: Dice) -> Json:
    point = dice.share()
    if point < 0.93:  # noqa: PLR2004 - a share
        return {}
    return {"someKey1": "test"} if point < 0.96 else {"run": {"retries": 2, "pages": [1, 2, 3]}, "note": "après-midi"}  # noqa: PLR2004 - a share


def _cursor(outline: Outline, dice: Dice) -> JsonValue:
    """Return what an incremental job continues from; only some connectors keep one."""
    if outline.kind != "incremental":
        return None
    when = stamps.kibana(outline.created)[:19] + "Z"
    if outline.connector.service_type == "google_drive":
        return {"google_drives": {dice.text(19, "abcdefXYZ0123"): when}, "cursor_timestamp": when}
    drives = {f"b!{dice.text(16, 'abcdefXYZ0123-_')}": invented.delta_link(dice) for _ in range(dice.skewed(1, 40))}
    return {"site_drives": drives, "cursor_timestamp": when}


def _optional(time: int | None, stamp: Callable[[int], str]) -> str | None:
    return None if time is None else stamp(time)


def _add_time(document: Json, name: str, time: int | None, stamp: Callable[[int], str]) -> None:
    if time is not None:
        document[name] = stamp(time)


def _add_end(document: Json, course: Course, stamp: Callable[[int], str]) -> None:
    _add_time(document, "cancelation_requested_at", course.cancelation_requested, stamp)
    _add_time(document, "canceled_at", course.canceled, stamp)
    _add_time(document, "completed_at", course.completed, stamp)
