"""What the operations guide says that `run --all` does not see, and what mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from commands import Ended, etl
from documents import job

import etl as package

if TYPE_CHECKING:
    from benches import Bench, MakeBench

pytestmark = pytest.mark.slow

JOBS = 2_100  # the two newest pages of 1,000 are always read


def finished(number: int) -> dict[str, Any]:
    day = f"2026-{1 + number // 215:02d}-{1 + number % 28:02d}"
    times = {"created_at": f"{day}T00:00:00Z", "started_at": f"{day}T00:00:01Z", "completed_at": f"{day}T00:09:00Z"}
    return job(id=f"job-{number:04d}", last_seen=None, **times)


def walk(bench: Bench, *arguments: str, ids: bytes = b"") -> Ended:
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}
    bench.sandbox.requests_by_route.clear()
    ended = etl("run", *arguments, "--json", "--output", str(bench.output), env=env, stdin=ids)
    assert ended.code == 0
    return ended


def pages(bench: Bench) -> int:
    return bench.sandbox.requests_by_route["GET /_connector/_sync_job"]


def test_late_changed_and_deleted_jobs_behind_equal_counts(make: MakeBench) -> None:
    bench = make({document["id"]: document for document in map(finished, range(JOBS))})
    walk(bench, "--all")
    del bench.documents["job-0000"]
    bench.documents["late"] = finished(0) | {"id": "late", "created_at": "2025-01-01T00:00:00Z"}
    bench.documents["job-0001"]["error"] = "written after it had settled"

    def rows() -> Any:
        return package.open_dataset(bench.output)["sync_jobs"].set_index("job_id")

    walk(bench, "--all")
    assert "late" not in rows().index
    assert rows().error.dropna().empty
    assert rows().not_found_at.dropna().empty

    walk(bench, "--all", "--refresh")
    assert "late" in rows().index
    assert rows().error.dropna().index.tolist() == ["job-0001"]
    assert rows().not_found_at.dropna().empty

    walk(bench, "--all")
    assert pages(bench) == 3  # the count differs for good, so all is read

    walk(bench, "-", "--refresh", ids="\n".join(rows().index).encode())
    assert rows().not_found_at.dropna().index.tolist() == ["job-0000"]
    walk(bench, "--all")
    assert pages(bench) == 2
