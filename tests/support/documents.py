"""Builds documents and looks into tables, for tests of several stages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etl.model import Document
from etl.transform.tables import Transformed, transform

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLES = Path(__file__).parents[1] / "samples"
FETCHED_AT = datetime(2026, 11, 24, 3, 50, 0, 123456, tzinfo=UTC)


def compact(document: Any) -> bytes:
    """Write JSON as Elasticsearch does."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def sample(name: str) -> dict[str, Any]:
    """Read a sample; one without an id gets its name."""
    document: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text())
    return {"id": name, **document}


def job(**fields: Any) -> dict[str, Any]:
    """Make a finished job in the shape that Elasticsearch 9 stores; `connector` is merged, the rest replaces."""
    connector = {
        "id": "conn-1",
        "filtering": {
            "advanced_snippet": {"created_at": "2024-01-01T00:00:00.000Z", "updated_at": "2024-01-01T00:00:00.000Z",
                                 "value": {}},
            "rules": [{"id": "DEFAULT", "order": 0, "policy": "include", "field": "_", "rule": "regex", "value": ".*",
                       "created_at": "2024-01-01T00:00:00.000Z", "updated_at": "2024-01-01T00:00:00.000Z"}],
            "validation": {"errors": [], "state": "valid"},
        },
        "index_name": "search-x", "language": "en", "service_type": "mongodb",
        "pipeline": {"extract_binary_content": True, "name": "p", "reduce_whitespace": True, "run_ml_inference": False},
        "configuration": {},
        **fields.pop("connector", {}),
    }  # fmt: skip
    document = {
        "id": "job-1", "connector": connector, "created_at": "2026-10-01T10:00:00.000Z",
        "started_at": "2026-10-01T10:00:05.000001+00:00", "last_seen": "2026-10-01T10:05:00.000Z",
        "completed_at": "2026-10-01T10:05:01+00:00", "deleted_document_count": 0, "indexed_document_count": 10,
        "indexed_document_volume": 1, "total_document_count": 10, "job_type": "full", "metadata": {},
        "status": "completed", "trigger_method": "scheduled", "worker_hostname": "worker-1", "error": None,
    }  # fmt: skip
    return {**document, **fields}


def run_transform(*documents: Any, exposed: Iterable[str] = ()) -> Transformed:
    """Transform documents given as values or as bytes."""
    raws = [document if isinstance(document, bytes) else compact(document) for document in documents]
    return transform([Document(raw=raw, fetched_at=FETCHED_AT) for raw in raws], frozenset(exposed))


def rows(result: Transformed, table: str) -> list[dict[str, Any]]:
    """Return a table's rows as dictionaries."""
    found: list[dict[str, Any]] = result.tables[table].to_pylist()
    return found


def only_row(result: Transformed, table: str) -> dict[str, Any]:
    """Return the only row of a table."""
    (row,) = rows(result, table)
    return row


def everything(result: Transformed) -> str:
    """Return all cells of all tables as one text."""
    return json.dumps([table.to_pylist() for table in result.tables.values()], default=str, ensure_ascii=False)
