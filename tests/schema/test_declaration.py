"""The declaration of the tables, and what is derived from it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from etl.schema import arrow, dictionary
from etl.schema.declare import Column, Kind
from etl.schema.tables import JOB_TIMES, TABLES

# DESIGN: the contract of names and their order, written out once more on purpose: a rename must fail here.
CONTRACT = {
    "sync_jobs": "job_id, connector_id, job_type, status, trigger_method, created_at, started_at, completed_at, "
    "cancelation_requested_at, canceled_at, last_seen, indexed_document_count, indexed_document_volume, "
    "deleted_document_count, total_document_count, error, worker_hostname, metadata_json, extra_json, fetched_at, "
    "not_found_at, created_month",
    "connectors": "job_id, index_name, language, service_type, pipeline_name, pipeline_extract_binary_content, "
    "pipeline_reduce_whitespace, pipeline_run_ml_inference, sync_cursor_json, extra_json, created_month",
    "connector_configuration": "job_id, field, label, type, display, category, required, sensitive, field_order, "
    "value, value_json, value_type, is_redacted, default_value_json, tooltip, placeholder, depends_on_json, "
    "options_json, validations_json, ui_restrictions_json, extra_json, created_month",
    "filtering": "job_id, filtering_index, domain, advanced_snippet_value_json, advanced_snippet_created_at, "
    "advanced_snippet_updated_at, validation_state, extra_json, created_month",
    "filtering_rules": "job_id, filtering_index, rule_index, rule_id, rule_order, policy, field, rule, value, "
    "created_at, updated_at, extra_json, created_month",
    "filtering_validation_errors": "job_id, filtering_index, error_index, ids, messages, extra_json, created_month",
    "field_issues": "job_id, table_name, column_name, path, problem, original_json, created_month",
}


def test_the_tables_have_the_columns_of_the_contract_in_order() -> None:
    assert {table.name: ", ".join(arrow.arrow_schema(table.name).names) for table in TABLES} == CONTRACT


def test_every_key_column_is_required_and_every_table_ends_with_its_month() -> None:
    for table in TABLES:
        assert all(not table.column(name).nullable for name in table.key)
        assert table.columns[-1].name == "created_month"


def test_every_column_is_described_where_readers_find_it() -> None:
    for table in TABLES:
        for field in arrow.arrow_schema(table.name):
            metadata = {key.decode(): value.decode() for key, value in field.metadata.items()}
            assert metadata["description"].endswith(".")
            assert metadata.get("source") or metadata.get("origin")


def test_a_column_has_either_a_source_or_an_origin() -> None:
    with pytest.raises(ValueError, match="exactly one of source and origin"):
        Column(name="x", kind=Kind.STRING, description="x")


def test_the_times_that_settle_a_job_are_those_of_the_document() -> None:
    assert set(JOB_TIMES) == {
        "created_at", "started_at", "completed_at", "cancelation_requested_at", "canceled_at", "last_seen",
    }  # fmt: skip


def test_the_fingerprint_is_stable() -> None:
    # It changes with tables, columns, types and nullability: then raise SCHEMA_VERSION and keep an old dataset.
    assert (arrow.SCHEMA_VERSION, arrow.schema_fingerprint()) == (1, "2c2588aa9b4d6cc9")


def test_the_data_dictionary_in_docs_is_the_generated_one() -> None:
    assert Path("docs/data-dictionary.md").read_text(encoding="utf-8") == dictionary.as_markdown()


def test_the_dictionary_as_json_names_every_column() -> None:
    tables = json.loads(dictionary.as_json())["tables"]

    assert {table["name"]: ", ".join(column["name"] for column in table["columns"]) for table in tables} == CONTRACT


def test_the_dictionary_as_arrow_is_the_schema_of_the_files() -> None:
    for name in CONTRACT:
        schema = pa.ipc.read_schema(pa.py_buffer(dictionary.as_arrow(name)))
        assert schema.equals(arrow.arrow_schema(name), check_metadata=True)


def test_an_unknown_table_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        arrow.arrow_schema("nothing")
