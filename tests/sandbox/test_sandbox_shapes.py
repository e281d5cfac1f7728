"""Every shape that the writers of sync jobs left behind occurs among the first jobs."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

from etl import jsontext
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import MISSING_FROM, id_of, number_of
from etl.sandbox.outline import ANCHOR, Writer, outline_of
from etl.sandbox.settings import SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Job = dict[str, Any]

COUNT = 2_000
ABSENT = object()
JAVA_ENTRY = [
    "default_value",
    "depends_on",
    "display",
    "label",
    "options",
    "order",
    "required",
    "sensitive",
    "tooltip",
    "type",
    "ui_restrictions",
    "validations",
    "value",
]


def connector(job: Job) -> Job:
    part = job.get("connector")
    return part if isinstance(part, dict) else {}


def filtering(job: Job) -> Any:
    return connector(job).get("filtering", job.get("filtering", ABSENT))


def domains(job: Job) -> list[Job]:
    found = filtering(job)
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []


def snippet(job: Job) -> Job:
    return next((one["advanced_snippet"] for one in domains(job) if one.get("advanced_snippet")), {})


def rules(job: Job) -> Iterator[Job]:
    for one in domains(job):
        yield from one.get("rules", [])


def validation_errors(job: Job) -> Iterator[Job]:
    for one in domains(job):
        yield from one.get("validation", {}).get("errors", [])


def entries(job: Job) -> Iterator[Any]:
    yield from (connector(job).get("configuration") or job.get("configuration") or {}).values()


def objects(job: Job) -> Iterator[Job]:
    return (entry for entry in entries(job) if isinstance(entry, dict))


def times(job: Job) -> Iterator[str]:
    names = ("created_at", "started_at", "completed_at", "canceled_at", "cancelation_requested_at", "last_seen")
    return (job[name] for name in names if isinstance(job.get(name), str))


def fraction(text: str) -> str:
    match = re.search(r"\.(\d+)", text)
    return match[1] if match else ""


SHAPES: dict[str, Callable[[Job], bool]] = {
    "java: nulls omitted, metadata and counters there": lambda j: (
        j["status"] == "pending" and j.get("metadata") == {} and "started_at" not in j and "worker_hostname" not in j
    ),
    "java: canceled before it started": lambda j: j["status"] == "canceled" and "started_at" not in j,
    "java: finished by python, with error null and both kinds of time": lambda j: (
        j.get("error", 0) is None and j.get("started_at", "").endswith("Z") and j["completed_at"].endswith("+00:00")
        if isinstance(j.get("started_at"), str) and isinstance(j.get("completed_at"), str)
        else False
    ),
    "python 8.6: connector has only an id": lambda j: list(connector(j)) == ["id"],
    "python 8.6: completed_at null while it runs": lambda j: (
        list(connector(j)) == ["id"] and j["completed_at"] is None and j["status"] == "in_progress"
    ),
    "python 8.7: no job_type, no metadata": lambda j: (
        "job_type" not in j and "metadata" not in j and "configuration" in connector(j)
    ),
    "python 8.9: literal dotted key, null": lambda j: j.get("connector.sync_cursor", ABSENT) is None,
    "python 8.9: literal dotted key, object": lambda j: isinstance(j.get("connector.sync_cursor"), dict),
    "nested sync_cursor": lambda j: isinstance(connector(j).get("sync_cursor"), dict),
    "kibana: explicit nulls": lambda j: j["status"] == "pending" and j.get("total_document_count", ABSENT) is None,
    "ruby: no counters while it is open": lambda j: (
        "connector" in j and "indexed_document_count" not in j and j["status"] in {"pending", "in_progress"}
    ),
    "ruby: volume in bytes": lambda j: "job_type" not in j and (j.get("indexed_document_volume") or 0) > 10_000_000,
    "ruby: time with another offset": lambda j: any(t.endswith(("+02:00", "-05:00")) for t in times(j)),
    "flat 8.5": lambda j: "connector" not in j and "connector_id" in j and "index_name" in j and "pipeline" in j,
    "flat 8.5 with a configuration": lambda j: "connector" not in j and bool(j.get("configuration")),
    "filtering: object": lambda j: bool(filtering(j)) and isinstance(filtering(j), dict),
    "filtering: array": lambda j: bool(filtering(j)) and isinstance(filtering(j), list),
    "filtering: array of two domains": lambda j: isinstance(filtering(j), list) and len(filtering(j)) > 1,
    "filtering: {}": lambda j: filtering(j) == {},
    "filtering: []": lambda j: filtering(j) == [],
    "filtering: null": lambda j: filtering(j) is None,
    "filtering: missing": lambda j: filtering(j) is ABSENT and len(connector(j)) > 1,
    "filtering: empty snippet and rules": lambda j: filtering(j) == {"advanced_snippet": {}, "rules": []},
    "filtering: domain with warnings": lambda j: any(d.get("warnings") for d in domains(j)),
    "snippet value: object": lambda j: (
        isinstance(snippet(j), dict) and bool(snippet(j).get("value")) and isinstance(snippet(j)["value"], dict)
    ),
    "snippet value: array": lambda j: isinstance(snippet(j), dict) and isinstance(snippet(j).get("value"), list),
    "snippet value: null": lambda j: isinstance(snippet(j), dict) and snippet(j).get("value", ABSENT) is None,
    "snippet value: missing": lambda j: (
        isinstance(snippet(j), dict) and list(snippet(j)) == ["created_at", "updated_at"]
    ),
    "snippet: the bare value, array": lambda j: isinstance(snippet(j), list),
    "rule: field is an array": lambda j: any(isinstance(r["field"], list) for r in rules(j)),
    "rule: value is no string": lambda j: any(not isinstance(r["value"], str) for r in rules(j)),
    "rule: times null": lambda j: any(r.get("created_at", ABSENT) is None for r in rules(j)),
    "rule: times missing": lambda j: isinstance(filtering(j), dict) and any("created_at" not in r for r in rules(j)),
    "validation: missing": lambda j: isinstance(filtering(j), dict) and "validation" not in filtering(j),
    "validation: lists": lambda j: any(isinstance(e["ids"], list) and e["messages"] for e in validation_errors(j)),
    "validation: scalars": lambda j: any(isinstance(e["messages"], str) for e in validation_errors(j)),
    "validation: scalar beside list": lambda j: any(
        isinstance(e["ids"], str) and isinstance(e["messages"], list) for e in validation_errors(j)
    ),
    "metadata: missing": lambda j: "metadata" not in j,
    "metadata: {}": lambda j: j.get("metadata") == {},
    "metadata: object": lambda j: bool(j.get("metadata")),
    "job_type: missing": lambda j: "job_type" not in j,
    "job_type: unknown": lambda j: j.get("job_type") == "permissions",
    "trigger_method: null": lambda j: j["trigger_method"] is None,
    "service_type and index_name: null": lambda j: connector(j).get("service_type", ABSENT) is None,
    "index of access control": lambda j: str(connector(j).get("index_name")).startswith(".search-acl-filter-"),
    "language: null": lambda j: connector(j).get("language", ABSENT) is None,
    'language: ""': lambda j: connector(j).get("language") == "",
    "pipeline: null": lambda j: connector(j).get("pipeline", ABSENT) is None,
    "pipeline: {}": lambda j: connector(j).get("pipeline") == {},
    "pipeline: flag is a string": lambda j: isinstance(
        (connector(j).get("pipeline") or {}).get("run_ml_inference"), str
    ),
    "configuration: {}": lambda j: connector(j).get("configuration") == {},
    "entry: as Elasticsearch writes it": lambda j: any(list(e) == JAVA_ENTRY for e in objects(j)),
    "entry: category and placeholder": lambda j: any({"category", "placeholder"} <= e.keys() for e in objects(j)),
    "entry: label and value only": lambda j: any(set(e) == {"label", "value"} for e in objects(j)),
    "entry: null": lambda j: None in entries(j),
    "entry: category stub": lambda j: any(e.get("type") == "category" for e in objects(j)),
    "entry: bare scalar": lambda j: any(isinstance(e, str | int | bool) for e in entries(j)),
    "entry: unknown key": lambda j: any("display_value" in e for e in objects(j)),
    "entry: no type": lambda j: any("label" in e and "order" in e and "type" not in e for e in objects(j)),
    "entry: display that is no display": lambda j: any(e.get("display") == "text" for e in objects(j)),
    "entry: number for a str": lambda j: any(e.get("type") == "str" and e["value"] == 456 for e in objects(j)),
    "entry: text for an int": lambda j: any(e.get("type") == "int" and e["value"] == "1000" for e in objects(j)),
    'entry: "" for an int': lambda j: any(e.get("type") == "int" and e["value"] == "" for e in objects(j)),
    "value: object": lambda j: any(isinstance(e.get("value"), dict) for e in objects(j)),
    "value: array": lambda j: any(isinstance(e.get("value"), list) for e in objects(j)),
    "value: bool": lambda j: any(isinstance(e.get("value"), bool) for e in objects(j)),
    "validation constraint: list": lambda j: any(
        isinstance(v["constraint"], list) for e in objects(j) for v in e.get("validations", [])
    ),
    "depends_on": lambda j: any(e.get("depends_on") for e in objects(j)),
    "options": lambda j: any(e.get("options") for e in objects(j)),
    "ui_restrictions": lambda j: any(e.get("ui_restrictions") for e in objects(j)),
    "secret that is flagged": lambda j: any(e.get("sensitive") is True for e in objects(j)),
    "secret that is not flagged (azure account_key)": lambda j: any(
        str(e.get("value")).endswith("==") and e.get("sensitive") is False for e in objects(j)
    ),
    "connection string with a password": lambda j: any("://sync_reader:" in str(e.get("value")) for e in objects(j)),
    "private key": lambda j: any("BEGIN PRIVATE KEY" in str(e.get("value")) for e in objects(j)),
    "extra key in connector": lambda j: "last_sync_status" in connector(j),
    "extra key at the top": lambda j: "_reindexed_from" in j,
    "counter: text": lambda j: isinstance(j.get("total_document_count"), str),
    "counter: fraction": lambda j: isinstance(j.get("indexed_document_volume"), float),
    "counter: total null": lambda j: j.get("total_document_count", ABSENT) is None,
    "worker_hostname: a number": lambda j: isinstance(j.get("worker_hostname"), int),
    "created_at: missing": lambda j: "created_at" not in j,
    "time: milliseconds since the epoch": lambda j: isinstance(j.get("created_at"), int),
    "time: digits in a string": lambda j: any(t.isdecimal() for t in times(j)),
    "time: naive": lambda j: any(len(t) == 26 and "Z" not in t and "+" not in t for t in times(j)),
    "time: +0000": lambda j: any(t.endswith("+0000") for t in times(j)),
    "time: a space for the T": lambda j: any(" " in t and t[0] == "2" for t in times(j)),
    "time: date only": lambda j: any(len(t) == 10 and t[4] == "-" for t in times(j)),
    "time: nine digits": lambda j: any(len(fraction(t)) == 9 for t in times(j)),
    "time: trailing zeros trimmed": lambda j: any(3 < len(fraction(t)) < 9 and t.endswith("Z") for t in times(j)),
    "time: no fraction": lambda j: any(t.endswith("+00:00") and len(t) == 25 for t in times(j)),
    "time: none at all": lambda j: "just now" in times(j),
    "error: idle": lambda j: j.get("error") == "The job has not seen any update for some time.",
    "error: with a connection string": lambda j: "mongodb://" in (j.get("error") or ""),
    "error: with a password parameter": lambda j: "password=" in (j.get("error") or ""),
    "error: with a document": lambda j: "Preview of field's value" in (j.get("error") or ""),
    "error: a spreadsheet would run it": lambda j: (j.get("error") or "").startswith("="),
    "error: several lines": lambda j: "\r\n" in (j.get("error") or ""),
    "error: empty": lambda j: j.get("error") == "",
    "error: no end": lambda j: j["status"] == "error" and "completed_at" not in j,
    "suspended: no end": lambda j: j["status"] == "suspended" and "completed_at" not in j and "started_at" in j,
}


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    return [generate_job(SEED, number) for number in range(COUNT)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_occurs_among_the_first_jobs(jobs: list[Job], shape: str) -> None:
    found = sum(SHAPES[shape](job) for job in jobs)
    assert found > 0
    assert found < COUNT


def test_all_seven_statuses_occur(jobs: list[Job]) -> None:
    assert {job["status"] for job in jobs} == {
        "pending",
        "in_progress",
        "canceling",
        "canceled",
        "suspended",
        "completed",
        "error",
    }


def test_all_writers_and_a_dozen_connectors_occur() -> None:
    outlines = [outline_of(SEED, number) for number in range(COUNT)]
    assert {outline.writer for outline in outlines} == set(Writer)
    assert len({outline.connector.id for outline in outlines}) >= 12
    assert len({outline.connector.service_type for outline in outlines}) >= 10


def test_all_kinds_of_rules_occur(jobs: list[Job]) -> None:
    assert {rule["rule"] for job in jobs for rule in rules(job)} == {
        "contains",
        "ends_with",
        "equals",
        "regex",
        "starts_with",
        ">",
        "<",
    }


def test_configurations_have_4_to_20_fields(jobs: list[Job]) -> None:
    sizes = [len(list(entries(job))) for job in jobs if connector(job).get("configuration")]
    assert min(sizes) >= 4
    assert max(sizes) <= 20


def test_documents_are_as_large_as_real_ones(jobs: list[Job]) -> None:
    assert 3_000 <= median(len(jsontext.dump(job).encode()) for job in jobs) <= 5_000


def test_jobs_were_created_in_the_24_months_before_the_anchor() -> None:
    created = [datetime.fromtimestamp(outline_of(SEED, number).created / 1e9, UTC) for number in range(COUNT)]
    assert max(created) < ANCHOR
    assert min(created) >= ANCHOR.replace(year=ANCHOR.year - 2)
    assert len({(moment.year, moment.month) for moment in created}) == 24


def test_counters_stay_within_the_mapping(jobs: list[Job]) -> None:
    counters = [value for job in jobs for name, value in job.items() if name.endswith(("_count", "_volume"))]
    assert max(value for value in counters if isinstance(value, int)) <= 2_147_483_647


def test_each_job_is_valid_json_text_and_has_its_id_first(jobs: list[Job]) -> None:
    for number, job in enumerate(jobs):
        assert jsontext.decode(jsontext.dump(job).encode()) == job
        assert next(iter(job)) == "id"
        assert job["id"] == id_of(number)


def test_equal_seeds_give_equal_jobs_and_other_seeds_others() -> None:
    assert generate_job(7, 123_456) == generate_job(7, 123_456)
    assert generate_job(7, 123_456) != generate_job(8, 123_456)
    assert generate_job(7, 123_456) != generate_job(7, 123_457)


def test_a_job_is_the_same_in_another_interpreter() -> None:
    code = (
        "from etl import jsontext; from etl.sandbox.generate import generate_job\n"
        "print(ascii([jsontext.dump(generate_job(1, n)) for n in range(40, 0, -1)]))"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed.strip() == ascii([jsontext.dump(generate_job(1, number)) for number in range(40, 0, -1)])


def test_a_job_belongs_to_its_caller() -> None:
    first = generate_job(SEED, 0)
    untouched = jsontext.dump(first)
    for entry in first["connector"]["configuration"].values():
        entry["value"] = "changed"
    first["connector"]["pipeline"] = first["connector"]["filtering"] = None
    assert jsontext.dump(generate_job(SEED, 0)) == untouched


def test_a_filter_taken_over_by_one_job_is_not_shared_with_others() -> None:
    for number in range(200):
        job = generate_job(SEED, number)
        before = jsontext.dump(job)
        for one in domains(job):
            for error in one.get("validation", {}).get("errors", []):
                if isinstance(error["messages"], list):
                    error["messages"].append("changed")
            if isinstance(one.get("advanced_snippet"), dict) and isinstance(one["advanced_snippet"].get("value"), dict):
                one["advanced_snippet"]["value"]["changed"] = True
        assert jsontext.dump(generate_job(SEED, number)) == before


def test_secrets_rotate_and_older_jobs_keep_the_old_ones() -> None:
    tokens: dict[str, set[str]] = {}
    for number in range(COUNT):
        outline = outline_of(SEED, number)
        entry = connector(generate_job(SEED, number)).get("configuration", {}).get("token")
        if outline.connector.service_type == "github" and isinstance(entry, dict):
            half_year = str((ANCHOR.timestamp() * 1e9 - outline.created) // (180 * 86400 * 1e9))
            tokens.setdefault(half_year, set()).add(str(entry["value"]))
    ordinary = [next(token for token in found if token.startswith("ghp_")) for found in tokens.values()]
    assert len(set(ordinary)) == len(tokens) >= 4


@pytest.mark.parametrize("number", [0, 1, 999, 10**6, MISSING_FROM])
def test_an_id_is_20_url_safe_characters_and_leads_back_to_its_number(number: int) -> None:
    job_id = id_of(number)
    assert len(job_id) == 20
    assert set(job_id) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert number_of(job_id) == number


@pytest.mark.parametrize("text", ["", "007", "a" * 20, "=" * 20, "ü" * 20, id_of(5)[:-1] + "!", id_of(5) + id_of(5)])
def test_any_other_text_leads_to_no_number(text: str) -> None:
    assert number_of(text) is None


def test_ids_of_neighbours_have_nothing_in_common() -> None:
    ids = [id_of(number) for number in range(5_000)]
    assert len(set(ids)) == 5_000
    assert len({job_id[-4:] for job_id in ids}) > 4_900
