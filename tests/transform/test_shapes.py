"""One meaning, one place: every shape that writers store comes out in the same columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from documents import job, only_row, rows, run_transform

RULE = {"id": "r1", "order": 1, "policy": "exclude", "field": "size", "rule": ">", "value": "10"}
SNIPPET = {"value": [{"tables": ["t"], "query": "select 1"}]}
FLAT = {
    "id": "job-1",
    "connector_id": "conn-1",
    "index_name": "search-x",
    "service_type": "mongodb",
    "status": "completed",
    "created_at": "2022-09-05T15:59:39.816+00:00",
    "pipeline": {"name": "p", "extract_binary_content": True},
    "filtering": [{"domain": "DEFAULT", "rules": [RULE]}],
}


def test_a_flat_document_of_8_5_fills_the_connector_columns() -> None:
    result = run_transform(FLAT)

    assert only_row(result, "sync_jobs")["connector_id"] == "conn-1"
    connector = only_row(result, "connectors")
    assert (connector["index_name"], connector["service_type"], connector["pipeline_name"]) == (
        "search-x",
        "mongodb",
        "p",
    )
    assert only_row(result, "filtering")["domain"] == "DEFAULT"
    assert only_row(result, "filtering_rules")["rule_id"] == "r1"
    assert only_row(result, "sync_jobs")["extra_json"] is None


def test_an_issue_in_a_flat_document_points_to_where_the_value_stands() -> None:
    result = run_transform({**FLAT, "index_name": ["a"], "filtering": [{"rules": [{"order": "x"}]}]})

    assert {row["path"] for row in rows(result, "field_issues")} == {"/index_name", "/filtering/0/rules/0/order"}


@pytest.mark.parametrize("cursor", [None, {"cursor_timestamp": "2024-01-01T00:00:00Z"}])
def test_the_literal_dotted_cursor_key_fills_the_cursor_column(cursor: Any) -> None:
    result = run_transform(job(**{"connector.sync_cursor": cursor}))

    expected = None if cursor is None else json.dumps(cursor, separators=(",", ":"))
    assert only_row(result, "connectors")["sync_cursor_json"] == expected
    assert only_row(result, "sync_jobs")["extra_json"] is None


def test_a_value_that_stands_twice_and_differs_is_kept_twice() -> None:
    result = run_transform(job(connector={"sync_cursor": {"a": 1}}, **{"connector.sync_cursor": {"a": 2}}))

    assert only_row(result, "connectors")["sync_cursor_json"] == '{"a":1}'
    assert only_row(result, "sync_jobs")["extra_json"] == '{"connector.sync_cursor":{"a":2}}'


def test_a_value_that_stands_twice_and_is_equal_is_kept_once() -> None:
    result = run_transform(job(index_name="search-x"))

    assert only_row(result, "connectors")["index_name"] == "search-x"
    assert only_row(result, "sync_jobs")["extra_json"] is None


@pytest.mark.parametrize(
    "filtering",
    [
        {"rules": [RULE], "advanced_snippet": SNIPPET},
        [{"rules": [RULE], "advanced_snippet": SNIPPET}],
        {"rules": RULE, "advanced_snippet": SNIPPET},
        [{"rules": [RULE], "advanced_snippet": SNIPPET["value"]}],
    ],
    ids=["object", "array", "a single rule", "bare snippet"],
)
def test_filtering_of_every_shape_gives_the_same_rows(filtering: Any) -> None:
    result = run_transform(job(connector={"filtering": filtering}))

    assert only_row(result, "filtering")["advanced_snippet_value_json"] == '[{"tables":["t"],"query":"select 1"}]'
    rule = only_row(result, "filtering_rules")
    assert (rule["filtering_index"], rule["rule_index"], rule["rule_id"], rule["value"]) == (0, 0, "r1", "10")
    assert rows(result, "field_issues") == []


@pytest.mark.parametrize("filtering", [None, {}, [], [{}], [None]])
def test_empty_filtering_has_no_row(filtering: Any) -> None:
    result = run_transform(job(connector={"filtering": filtering}))

    assert rows(result, "filtering") == []
    assert rows(result, "field_issues") == []


def test_a_second_filtering_keeps_its_position() -> None:
    result = run_transform(job(connector={"filtering": [{}, {"domain": "B", "rules": [RULE]}]}))

    assert only_row(result, "filtering")["filtering_index"] == 1
    assert only_row(result, "filtering_rules")["filtering_index"] == 1


@pytest.mark.parametrize(
    "errors",
    [
        [{"ids": ["a"], "messages": ["m"]}],
        {"ids": ["a"], "messages": ["m"]},
        [{"ids": "a", "messages": "m"}],
    ],
)
def test_validation_errors_are_read_as_scalars_or_lists(errors: Any) -> None:
    filtering = {"rules": [], "validation": {"state": "invalid", "errors": errors}}

    result = run_transform(job(connector={"filtering": filtering}))

    complaint = only_row(result, "filtering_validation_errors")
    assert (complaint["error_index"], complaint["ids"], complaint["messages"]) == (0, ["a"], ["m"])
    assert only_row(result, "filtering")["validation_state"] == "invalid"
    assert only_row(result, "filtering")["extra_json"] is None


def test_a_rule_on_several_fields_keeps_them_as_json_without_an_issue() -> None:
    result = run_transform(job(connector={"filtering": {"rules": [{**RULE, "field": ["a", "b"]}]}}))

    assert only_row(result, "filtering_rules")["field"] == '["a","b"]'
    assert rows(result, "field_issues") == []


@pytest.mark.parametrize("connector", [None, "x", ["x"], 5])
def test_a_connector_that_is_no_object_leaves_the_job_loaded(connector: Any) -> None:
    result = run_transform({**job(), "connector": connector})

    assert only_row(result, "sync_jobs")["status"] == "completed"
    assert only_row(result, "connectors")["index_name"] is None
    issues = [(row["path"], row["original_json"]) for row in rows(result, "field_issues")]
    assert issues == ([] if connector is None else [("/connector", json.dumps(connector))])


def test_unknown_fields_stay_at_their_level() -> None:
    document = job(
        new_field={"a": [1, None]},
        connector={
            "last_sync_status": "ok",
            "pipeline": {"name": "p", "version": 3},
            "configuration": {"port": {"value": 1, "display_value": 7}},
            "filtering": {
                "rules": [{**RULE, "note": "n"}],
                "warnings": [],
                "advanced_snippet": {"value": {}, "author": "me"},
                "validation": {"state": "valid", "errors": [{"ids": [], "messages": [], "code": 1}], "by": "x"},
            },
        },
    )

    result = run_transform(document)

    extras = {
        name: json.loads(only_row(result, name)["extra_json"])
        for name in ("sync_jobs", "connectors", "connector_configuration", "filtering", "filtering_rules")
    }
    assert extras == {
        "sync_jobs": {"new_field": {"a": [1, None]}},
        "connectors": {"last_sync_status": "ok", "pipeline": {"version": 3}},
        "connector_configuration": {"display_value": 7},
        "filtering": {"warnings": [], "advanced_snippet": {"author": "me"}, "validation": {"by": "x"}},
        "filtering_rules": {"note": "n"},
    }
    assert only_row(result, "filtering_validation_errors")["extra_json"] == '{"code":1}'


def test_missing_and_null_are_alike() -> None:
    nulls = run_transform(job(error=None, completed_at=None, metadata=None, connector={"pipeline": None}))
    document = job()
    for key in ("error", "completed_at", "metadata"):
        del document[key]
    del document["connector"]["pipeline"]

    missing = run_transform(document)

    assert nulls.tables == missing.tables


def test_configuration_entries_of_every_shape_have_a_row() -> None:
    configuration = {
        "full": {"label": "F", "order": 1, "required": True, "sensitive": False, "type": "int", "value": 456},
        "legacy": {"label": "L", "value": None},
        "stub": {"label": "S", "order": 2, "type": "category"},
        "scalar": 5,
        "nothing": None,
        "text": {"type": "str", "value": "visible"},
    }

    result = run_transform(job(connector={"configuration": configuration}), exposed=["text"])

    found = {
        row["field"]: (row["value"], row["value_json"], row["value_type"], row["is_redacted"], row["field_order"])
        for row in rows(result, "connector_configuration")
    }
    assert found == {
        "full": ("456", "456", "integer", False, 1),
        "legacy": (None, None, "null", False, None),
        "stub": (None, None, None, False, 2),
        "scalar": ("5", "5", "integer", False, None),
        "nothing": (None, None, None, False, None),
        "text": ("visible", '"visible"', "string", False, None),
    }
