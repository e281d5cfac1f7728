"""Each document of tests/samples, cell by cell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from documents import FETCHED_AT, only_row, rows, run_transform, sample

from etl.schema.tables import TABLES


def utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[misc,arg-type]


PIPELINE = {
    "pipeline_name": "search-default-ingestion",
    "pipeline_extract_binary_content": True,
    "pipeline_reduce_whitespace": True,
    "pipeline_run_ml_inference": False,
}
JAVA_CONNECTOR = {"index_name": "search-connector", "language": "english", "service_type": "service type", **PIPELINE}
JAVA_TIME = utc(2023, 12, 1, 14, 18, 37, 397819)
DEFAULT_RULE = {
    "filtering_index": 0,
    "rule_index": 0,
    "rule_id": "DEFAULT",
    "rule_order": 0,
    "policy": "include",
    "field": "_",
    "rule": "regex",
    "value": ".*",
}
JAVA_FILTERING: dict[str, list[dict[str, Any]]] = {
    "filtering": [
        {
            "filtering_index": 0,
            "advanced_snippet_value_json": "{}",
            "advanced_snippet_created_at": JAVA_TIME,
            "advanced_snippet_updated_at": JAVA_TIME,
            "validation_state": "valid",
        }
    ],
    "filtering_rules": [{**DEFAULT_RULE, "created_at": JAVA_TIME, "updated_at": JAVA_TIME}],
}
MONGODB_HOST = {"field": "host", "label": "MongoDB Host", "value_type": "string", "is_redacted": True}
EXPECTED: dict[str, dict[str, list[dict[str, Any]]]] = {
    "java-cancel-pending": {
        "sync_jobs": [
            {
                "job_id": "WGx0Z5UBrMKTBkB6pHJ3",
                "connector_id": "connector-id",
                "job_type": "full",
                "status": "canceled",
                "trigger_method": "on_demand",
                "created_at": utc(2025, 3, 8, 10, 0, 0, 123456),
                "completed_at": utc(2025, 3, 8, 10, 1, 0, 500000),
                "cancelation_requested_at": utc(2025, 3, 8, 10, 1, 0, 500000),
                "canceled_at": utc(2025, 3, 8, 10, 1, 0, 500000),
                "last_seen": utc(2025, 3, 8, 10, 0, 0, 123456),
                "indexed_document_count": 0,
                "indexed_document_volume": 0,
                "deleted_document_count": 0,
                "total_document_count": 0,
                "metadata_json": "{}",
                "created_month": "2025-03",
            }
        ],
        "connectors": [JAVA_CONNECTOR],
        **JAVA_FILTERING,
    },
    "java-post-python-8.17+-completed": {
        "sync_jobs": [
            {
                "job_id": "VGx0Z5UBrMKTBkB6pHJ2",
                "connector_id": "connector-id",
                "job_type": "incremental",
                "status": "completed",
                "trigger_method": "scheduled",
                "created_at": utc(2025, 3, 8, 10, 0, 0, 123456),
                "started_at": utc(2025, 3, 8, 10, 0, 5, 987654),
                "completed_at": utc(2025, 3, 8, 10, 5, 1, 120051),
                "last_seen": utc(2025, 3, 8, 10, 5, 1, 120034),
                "indexed_document_count": 10,
                "indexed_document_volume": 0,
                "deleted_document_count": 0,
                "total_document_count": 10,
                "worker_hostname": "ip-10-0-0-1",
                "metadata_json": "{}",
                "created_month": "2025-03",
            }
        ],
        "connectors": [JAVA_CONNECTOR],
        **JAVA_FILTERING,
    },
    "kibana-8.8-8.15-start_sync-pending": {
        "sync_jobs": [
            {
                "job_id": "kibana-8.8-8.15-start_sync-pending",
                "connector_id": "connector-id",
                "job_type": "full",
                "status": "pending",
                "trigger_method": "on_demand",
                "created_at": utc(2024, 3, 18, 18, 39, 4, 380000),
                "indexed_document_count": 0,
                "indexed_document_volume": 0,
                "deleted_document_count": 0,
                "metadata_json": "{}",
                "created_month": "2024-03",
            }
        ],
        "connectors": [{"index_name": "search-airbnb", "service_type": "mongodb"}],
        "connector_configuration": [MONGODB_HOST],
    },
    "python-8.6-created": {
        "sync_jobs": [
            {
                "job_id": "python-8.6-created",
                "connector_id": "connector-id",
                "status": "completed",
                "trigger_method": "scheduled",
                "created_at": utc(2023, 1, 10, 15, 27, 41, 373511),
                "completed_at": utc(2023, 1, 10, 15, 28, 0, 1),
                "indexed_document_count": 12,
                "deleted_document_count": 0,
                "created_month": "2023-01",
            }
        ],
        "connectors": [{}],
    },
    "python-8.9-8.16-completed-literal-dotted-key": {
        "sync_jobs": [
            {
                "job_id": "python-8.9-8.16-completed-literal-dotted-key",
                "connector_id": "connector-id",
                "job_type": "full",
                "status": "completed",
                "trigger_method": "scheduled",
                "created_at": utc(2024, 3, 18, 18, 39, 4, 380112),
                "started_at": utc(2024, 3, 18, 18, 39, 23, 61424),
                "completed_at": utc(2024, 3, 18, 18, 59, 6),
                "last_seen": utc(2024, 3, 18, 18, 59, 6, 729398),
                "indexed_document_count": 16521,
                "indexed_document_volume": 173,
                "deleted_document_count": 0,
                "total_document_count": 16521,
                "worker_hostname": "worker-1",
                "created_month": "2024-03",
            }
        ],
        "connectors": [
            {
                "index_name": "search-airbnb",
                "language": "en",
                "service_type": "mongodb",
                **PIPELINE,
                "pipeline_name": "ent-search-generic-ingestion",
                "pipeline_run_ml_inference": True,
            }
        ],
        "connector_configuration": [MONGODB_HOST],
        "filtering": [{"filtering_index": 0}],
    },
    "ruby-8.6-completed-bytes": {
        "sync_jobs": [
            {
                "job_id": "ruby-8.6-completed-bytes",
                "connector_id": "connector-id",
                "status": "completed",
                "trigger_method": "scheduled",
                "created_at": utc(2023, 1, 10, 15, 27, 41, 373000),
                "started_at": utc(2023, 1, 10, 15, 27, 45, 373000),
                "completed_at": utc(2023, 1, 10, 15, 28, 41, 373000),
                "last_seen": utc(2023, 1, 10, 15, 28, 41, 373000),
                "indexed_document_count": 100,
                "indexed_document_volume": 181438021,
                "deleted_document_count": 0,
                "total_document_count": 100,
                "worker_hostname": "h",
                "metadata_json": "{}",
                "created_month": "2023-01",
            }
        ],
        "connectors": [{"index_name": "search-x", "language": "en", "service_type": "mongodb", **PIPELINE}],
        "filtering": [{"filtering_index": 0, "domain": "DEFAULT", "extra_json": '{"warnings":[]}'}],
        "filtering_rules": [DEFAULT_RULE],
    },
}


@pytest.mark.parametrize("shape", sorted(EXPECTED))
def test_every_cell_of_a_sample_is_right(shape: str) -> None:
    result = run_transform(sample(shape))

    assert result.refused == ()
    job_id = EXPECTED[shape]["sync_jobs"][0]["job_id"]
    month = EXPECTED[shape]["sync_jobs"][0]["created_month"]
    for table in TABLES:
        for_all = {"job_id": job_id, "created_month": month}
        if table.name == "sync_jobs":
            for_all["fetched_at"] = FETCHED_AT
        blank = dict.fromkeys(column.name for column in table.columns)
        expected = [{**blank, **for_all, **row} for row in EXPECTED[shape].get(table.name, [])]
        assert rows(result, table.name) == expected, table.name


def test_a_list_envelope_is_no_sync_job() -> None:
    envelope = sample("list-envelope")
    del envelope["id"]

    result = run_transform(envelope)

    assert [(refused.position, refused.reason) for refused in result.refused] == [(0, "no usable id")]
    assert all(table.num_rows == 0 for table in result.tables.values())


def test_the_pandas_frames_have_nullable_types() -> None:
    frames = run_transform(sample("java-cancel-pending")).frames()

    assert {name: str(dtype) for name, dtype in frames["sync_jobs"].dtypes.items()}["started_at"] == (
        "datetime64[us, UTC]"
    )
    types = {str(dtype) for frame in frames.values() for dtype in frame.dtypes}
    assert types == {"string", "Int64", "boolean", "datetime64[us, UTC]", "object"}
    assert only_row(run_transform(sample("java-cancel-pending")), "sync_jobs")["started_at"] is None
