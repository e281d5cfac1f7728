"""What the official client gets from the cluster is what stands in the tables, field by field."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from benches import Bench
from elasticsearch import Elasticsearch

from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = 2000
EVERY = 10  # is got by id too: each call of the client costs some 5 ms of telling that this API is beta
MISSING = object()


@pytest.fixture(name="both", scope="module")
def _both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, Any], dict[str, Any], Path]]:
    """The documents as the client lists them, some as it gets them, and the output of a run over the same ids."""
    with Sandbox(SandboxSettings(jobs=JOBS)) as sandbox:
        bench = Bench(folder=tmp_path_factory.mktemp("official"), documents={}, sandbox=sandbox)
        assert bench.run("-q", ids=[id_of(number) for number in range(JOBS)]).code == 0
        with warnings.catch_warnings(), Elasticsearch(sandbox.url, api_key=sandbox.api_key) as client:
            warnings.simplefilter("ignore")  # the client calls this API beta
            listed: dict[str, Any] = {}
            for start in range(0, JOBS, 500):
                page = client.connector.sync_job_list(from_=start, size=500)
                listed.update({document["id"]: document for document in page["results"]})
            got = {
                job_id: dict(client.connector.sync_job_get(connector_sync_job_id=job_id))
                for job_id in sorted(listed)[::EVERY]
            }
        yield listed, got, bench.output


def table(output: Path, name: str, *key: str) -> dict[Any, list[dict[str, Any]]]:
    """A table's rows by key."""
    rows: dict[Any, list[dict[str, Any]]] = {}
    for row in pd.read_parquet(output / "latest" / name).astype(object).to_dict("records"):
        plain = {str(column): value for column, value in row.items()}
        rows.setdefault(tuple(plain[column] for column in key) if len(key) > 1 else plain[key[0]], []).append(plain)
    return rows


def issues_of(output: Path) -> dict[str, set[str]]:
    """The paths of the values that did not fit, by job."""
    return {job_id: {row["path"] for row in rows} for job_id, rows in table(output, "field_issues", "job_id").items()}


def connector_of(document: dict[str, Any]) -> dict[str, Any]:
    connector = dict(document.get("connector") or {})
    for name in ("index_name", "service_type", "language", "pipeline", "filtering", "configuration"):
        connector.setdefault(name, document.get(name))
    connector.setdefault("id", document.get("connector_id"))
    if connector.get("sync_cursor") is None:
        connector["sync_cursor"] = document.get("connector.sync_cursor")
    return connector


def agrees(cell: Any, value: Any, issues: set[str], path: str) -> bool:
    """Whether a cell says what the document says, or the issue that stands for it is on record."""
    if value is None or any(issue.endswith(path) for issue in issues):
        return bool(pd.isna(cell))
    if isinstance(cell, pd.Timestamp):
        return bool(cell == moment(value))
    if isinstance(cell, bool):
        return cell == (value if isinstance(value, bool) else {"true": True, "false": False}.get(value))
    if isinstance(cell, int):
        return cell == int(float(value)) if "." in str(value) else cell == int(value)
    return str(cell) == (value if isinstance(value, str) else json.dumps(value))


def moment(value: Any) -> pd.Timestamp:
    if not isinstance(value, str) or value.isdigit():
        return pd.Timestamp(int(value), unit="ms", tz="UTC")
    head, dot, rest = value.partition(".")
    if dot:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        value = f"{head}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"  # cut past the microsecond
    parsed = datetime.fromisoformat(value)
    return pd.Timestamp(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))


def test_list_and_get_give_the_same_documents(both: tuple[dict[str, Any], dict[str, Any], Path]) -> None:
    listed, got, _ = both

    assert len(listed) == JOBS
    assert len(got) == JOBS // EVERY
    assert got == {job_id: listed[job_id] for job_id in got}


def test_every_plain_field_of_jobs_and_connectors_is_in_its_column(
    both: tuple[dict[str, Any], dict[str, Any], Path],
) -> None:
    documents, _, output = both
    jobs, connectors = table(output, "sync_jobs", "job_id"), table(output, "connectors", "job_id")
    issues = issues_of(output)
    plain = [
        "job_type", "status", "trigger_method", "created_at", "started_at", "completed_at", "cancelation_requested_at",
        "canceled_at", "last_seen", "indexed_document_count", "indexed_document_volume", "deleted_document_count",
        "total_document_count", "worker_hostname",
    ]  # fmt: skip
    wrong: Counter[str] = Counter()
    for job_id, document in documents.items():
        (row,), (connector_row,) = jobs[job_id], connectors[job_id]
        found = issues.get(job_id, set())
        connector = connector_of(document)
        for name in plain:
            wrong[name] += not agrees(row[name], document.get(name), found, f"/{name}")
        wrong["connector_id"] += not agrees(row["connector_id"], connector["id"], found, "/connector/id")
        for name in ("index_name", "language", "service_type"):
            wrong[name] += not agrees(connector_row[name], connector[name], found, f"/{name}")
        pipeline = connector["pipeline"] or {}
        for name in ("name", "extract_binary_content", "reduce_whitespace", "run_ml_inference"):
            cell = connector_row[f"pipeline_{name}"]
            wrong[name] += not agrees(cell, pipeline.get(name), found, f"/pipeline/{name}")

    assert +wrong == Counter()
    assert len(jobs) == len(connectors) == JOBS


def test_every_rule_complaint_and_configuration_field_has_its_row(
    both: tuple[dict[str, Any], dict[str, Any], Path],
) -> None:
    documents, _, output = both
    rules = table(output, "filtering_rules", "job_id", "filtering_index", "rule_index")
    complaints = table(output, "filtering_validation_errors", "job_id", "filtering_index", "error_index")
    fields = table(output, "connector_configuration", "job_id", "field")
    issues = issues_of(output)
    counted: Counter[str] = Counter()
    for job_id, document in documents.items():
        connector = connector_of(document)
        filterings = connector["filtering"] or []
        for index, filtering in enumerate(filterings if isinstance(filterings, list) else [filterings]):
            for position, rule in enumerate((filtering or {}).get("rules") or []):
                (row,) = rules[job_id, index, position]
                counted["rules"] += 1
                found, at = issues.get(job_id, set()), f"/rules/{position}"
                assert agrees(row["rule_id"], rule.get("id"), found, f"{at}/id")
                for name in ("policy", "rule", "value", "created_at", "updated_at"):
                    assert agrees(row[name], rule.get(name), found, f"{at}/{name}"), (job_id, name)
                assert agrees(row["rule_order"], rule.get("order"), found, f"{at}/order")
            errors = ((filtering or {}).get("validation") or {}).get("errors") or []
            for position, error in enumerate(errors if isinstance(errors, list) else [errors]):
                (row,) = complaints[job_id, index, position]
                counted["complaints"] += 1
                ids = error.get("ids")
                assert list(row["ids"]) == (ids if isinstance(ids, list) else [ids])
        for name, entry in (connector["configuration"] or {}).items():
            (row,) = fields[job_id, name]
            counted["fields"] += 1
            if not isinstance(entry, dict):
                continue
            for member in ("label", "type", "display", "category", "required", "sensitive"):
                assert agrees(row[member], entry.get(member), issues.get(job_id, set()), f"/{name}/{member}")
            if isinstance(entry.get("value"), str):
                assert pd.isna(row["value"])
                assert (row["value_type"], row["is_redacted"]) == ("string", True)

    assert counted == {
        "rules": sum(map(len, rules.values())),
        "complaints": sum(map(len, complaints.values())),
        "fields": sum(map(len, fields.values())),
    }
