"""Types that disagree with the schema: converted where nothing is lost, else a field issue with the original."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import compact, everything, job, only_row, rows, run_transform

BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (5, 5),
        ("5", 5),
        (5.0, 5),
        ("5.0", 5),
        (BIG, BIG),
        (str(BIG), BIG),
        (-(2**63), -(2**63)),
        (1e15, 10**15),
    ],
)
def test_whole_numbers_are_converted_where_nothing_is_lost(value: Any, cell: int) -> None:
    result = run_transform(job(indexed_document_count=value))

    assert only_row(result, "sync_jobs")["indexed_document_count"] == cell
    assert rows(result, "field_issues") == []


@pytest.mark.parametrize("value", [1.5, "x", "", "007", " 5", True, [1], {"a": 1}, 2**63, 1e300, "9" * 30, "1.5"])
def test_what_is_no_whole_number_becomes_a_field_issue(value: Any) -> None:
    result = run_transform(job(indexed_document_count=value))

    row = only_row(result, "sync_jobs")
    assert (row["indexed_document_count"], row["deleted_document_count"]) == (None, 0)
    issue = only_row(result, "field_issues")
    assert (issue["table_name"], issue["column_name"], issue["path"]) == (
        "sync_jobs",
        "indexed_document_count",
        "/indexed_document_count",
    )
    assert json.loads(issue["original_json"]) == value


@pytest.mark.parametrize(("value", "cell"), [("t", "t"), (5, "5"), (1.5, "1.5"), (True, "true"), ("", "")])
def test_scalars_become_text(value: Any, cell: str) -> None:
    result = run_transform(job(worker_hostname=value))

    assert only_row(result, "sync_jobs")["worker_hostname"] == cell


@pytest.mark.parametrize(("value", "cell"), [(True, True), ("true", True), ("false", False)])
def test_booleans_are_read_also_as_text(value: Any, cell: bool) -> None:  # noqa: FBT001 - a parameter of the case
    result = run_transform(job(connector={"pipeline": {"reduce_whitespace": value}}))

    assert only_row(result, "connectors")["pipeline_reduce_whitespace"] is cell


@pytest.mark.parametrize("value", [0, 1, "yes", "True", []])
def test_what_is_no_boolean_becomes_a_field_issue(value: Any) -> None:
    result = run_transform(job(connector={"pipeline": {"reduce_whitespace": value}}))

    assert only_row(result, "connectors")["pipeline_reduce_whitespace"] is None
    issue = only_row(result, "field_issues")
    assert (issue["path"], issue["original_json"]) == ("/connector/pipeline/reduce_whitespace", json.dumps(value))


def test_a_bad_timestamp_leaves_the_rest_of_the_document_loaded() -> None:
    result = run_transform(job(started_at="yesterday"))

    row = only_row(result, "sync_jobs")
    assert (row["started_at"], row["status"], row["indexed_document_count"]) == (None, "completed", 10)
    assert only_row(result, "field_issues")["original_json"] == '"yesterday"'


def test_free_form_values_keep_their_keys_in_order_and_their_numbers_exact() -> None:
    raw = compact(job(metadata="@")).replace(b'"@"', b'{"z":1.10,"a":12345678901234567890.123456789,"m":{"y":1e400}}')

    result = run_transform(raw)

    text = only_row(result, "sync_jobs")["metadata_json"]
    assert text == '{"z":1.1,"a":12345678901234567890.123456789,"m":{"y":1e400}}'


def test_a_repeated_key_counts_with_its_last_value_and_keeps_the_others() -> None:
    raw = compact(job(error="last")).replace(b'"error":"last"', b'"error":"first","error":"last"')

    result = run_transform(raw)

    assert only_row(result, "sync_jobs")["error"] == "last"
    issue = only_row(result, "field_issues")
    assert (issue["path"], issue["original_json"]) == ("/error", '["first"]')


@pytest.mark.parametrize(
    "raw",
    [b'"w\\ud800"', b'"w\xff"', b'"w\\udc80\\ud83d"'],
    ids=["unpaired surrogate", "no UTF-8", "surrogates in the wrong order"],
)
def test_text_that_is_no_unicode_becomes_a_field_issue(raw: bytes) -> None:
    result = run_transform(compact(job(worker_hostname="@")).replace(b'"@"', raw))

    assert only_row(result, "sync_jobs")["worker_hostname"] is None
    assert only_row(result, "field_issues")["path"] == "/worker_hostname"
    assert json.loads(only_row(result, "field_issues")["original_json"]).startswith("w")


def test_text_that_is_no_unicode_stays_readable_inside_free_form_values() -> None:
    result = run_transform(compact(job(metadata={"k": "@"})).replace(b'"@"', b'"a\\ud800"'))

    assert only_row(result, "sync_jobs")["metadata_json"] == '{"k":"a\\ud800"}'


def test_nul_characters_and_long_texts_are_kept() -> None:
    long = "é\x00" * 150_000

    result = run_transform(job(error=long))

    assert only_row(result, "sync_jobs")["error"] == long


def test_two_hundred_levels_of_nesting_are_kept() -> None:
    deep: Any = "leaf"
    for level in range(200):
        deep = {"d": deep} if level % 2 else [deep]

    result = run_transform(job(metadata=deep, connector={"configuration": {"x": {"value": deep}}}))

    assert "leaf" in only_row(result, "sync_jobs")["metadata_json"]
    assert result.refused == ()


def test_a_document_nested_without_end_is_refused_alone() -> None:
    bottomless = b'{"id":"deep","metadata":' + b'{"d":' * 5000 + b"1" + b"}" * 5001

    result = run_transform(job(), bottomless)

    assert [(refused.position, refused.reason) for refused in result.refused] == [(1, "nested deeper than 300 levels")]
    assert result.tables["sync_jobs"].num_rows == 1


@pytest.mark.parametrize("raw", [b"", b"null", b"[]", b"5", b'"x"', b"{", b"<html>", b'{"id":""}', b'{"id":7}', b"{}"])
def test_what_is_no_sync_job_is_refused(raw: bytes) -> None:
    result = run_transform(raw)

    assert len(result.refused) == 1


def test_unknown_values_of_known_fields_are_kept() -> None:
    result = run_transform(job(status="exploded", job_type="permissions", trigger_method=None))

    row = only_row(result, "sync_jobs")
    assert (row["status"], row["job_type"], row["trigger_method"]) == ("exploded", "permissions", None)


def test_several_issues_at_one_path_are_one_row() -> None:
    raw = compact(job(started_at="@")).replace(b'"started_at":"@"', b'"started_at":"a","started_at":"b"')

    issue = only_row(run_transform(raw), "field_issues")

    assert issue["original_json"] == '["b",["a"]]'
    assert "; " in issue["problem"]


def test_a_field_name_that_is_no_unicode_does_not_cost_the_document() -> None:
    raw = compact(job(connector={"configuration": {"@": {"value": 1}}})).replace(b'"@"', b'"\\ud800"')

    result = run_transform(raw)

    assert only_row(result, "field_issues")["path"] == "/connector/configuration/\\ud800"
    assert "completed" in everything(result)
