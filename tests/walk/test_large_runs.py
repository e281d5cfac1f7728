"""Runs over clusters of the size that they are made for, through the command line, from the first time to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from commands import Ended, etl
from elasticsearch import Elasticsearch

from etl.sandbox.access import ApiKey
from etl.sandbox.identity import id_of
from etl.sandbox.population import large_population
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import FULL_KEY, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOBS = 60_000
LIST_ONLY = ApiKey(id="list-only", secret="list-only", privileges=frozenset({"monitor", "monitor_connector"}))

pytestmark = pytest.mark.slow


@pytest.fixture(name="large", scope="module")
def _large() -> Iterator[Sandbox]:
    settings = SandboxSettings(jobs=JOBS, population=large_population(), api_keys=(FULL_KEY, LIST_ONLY))
    with Sandbox(settings) as sandbox:
        yield sandbox


def command(sandbox: Sandbox, *arguments: str, key: ApiKey = FULL_KEY) -> Ended:
    return etl(*arguments, env={"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": key.encoded})


def ids_in(output: Path) -> list[str]:
    ids: list[str] = pd.read_parquet(output / "latest" / "sync_jobs", columns=["job_id"])["job_id"].tolist()
    return ids


def requests_made(ended: Ended) -> int:
    figures: dict[str, Any] = ended.summary["figures"]
    assert figures["requests"] <= 1.5 * figures["least_requests"]
    requests: int = figures["requests"]
    return requests


def test_without_the_index_all_that_the_list_reaches_is_loaded_and_the_rest_is_named(
    large: Sandbox, tmp_path: Path
) -> None:
    ended = command(large, "run", "--all", "--json", "--output", str(tmp_path / "out"), key=LIST_ONLY)

    assert ended.code == 3
    ids = ids_in(tmp_path / "out")
    assert len(ids) == len(set(ids)) == ended.summary["outcomes"]["loaded"] == ended.summary["requested"]
    assert 40_000 < len(ids) < JOBS
    biggest = large_population().connectors[0].id
    (named,) = [warning for warning in ended.summary["warnings"] if f"connector_id {biggest}: the count" in warning
                and "are missing" in warning]  # fmt: skip
    assert "status completed, job_type full" in named
    assert "the count stands at 10000" in named
    assert "created before 20" in named
    assert "index privilege read" in named
    assert requests_made(ended) < 120


def test_with_the_index_all_are_loaded_once_and_the_next_run_asks_for_what_is_new_or_may_change(
    large: Sandbox, tmp_path: Path
) -> None:
    output = tmp_path / "out"

    first = command(large, "run", "--all", "--json", "--output", str(output))

    assert first.code == 0
    assert (first.summary["outcomes"]["loaded"], first.summary["requested"]) == (JOBS, JOBS)
    assert sorted(ids_in(output)) == sorted(id_of(number) for number in range(JOBS))
    assert requests_made(first) <= 90

    new, moved = large.add_jobs(50), large.advance(limit=20)
    second = command(large, "run", "--all", "--json", "--output", str(output))

    assert second.code == 0
    assert second.summary["figures"]["requests"] <= 30
    assert second.summary["outcomes"]["loaded"] == len({*new, *moved})
    assert second.summary["rows"]["sync_jobs"] == JOBS + 50
    assert set(new) <= set(ids_in(output))
    assert command(large, "verify", "--output", str(output)).code == 0

    found = set(command(large, "discover").out.split())
    assert found == set(ids_in(output))


@pytest.mark.filterwarnings("ignore::elasticsearch.exceptions.GeneralAvailabilityWarning")
def test_the_official_client_lists_what_discover_finds() -> None:
    with Sandbox(SandboxSettings(jobs=9_500)) as sandbox:
        found = command(sandbox, "discover").out.split()
        with Elasticsearch(sandbox.url, api_key=sandbox.api_key) as client:
            listed = [
                job["id"]
                for start in range(0, 9_500, 1000)
                for job in client.connector.sync_job_list(from_=start, size=min(1000, 10_000 - start))["results"]
            ]

    assert sorted(found) == sorted(listed)
    assert len(set(found)) == 9_500


def test_a_list_that_holds_nearly_all_jobs_is_walked_and_a_short_one_is_not(tmp_path: Path) -> None:
    with Sandbox(SandboxSettings(jobs=9_500)) as sandbox:
        long, short = tmp_path / "long.txt", tmp_path / "short.txt"
        long.write_text("\n".join(id_of(number) for number in range(9_000)))
        short.write_text("\n".join(id_of(number) for number in range(0, 9_000, 180)))

        walked = command(sandbox, "run", str(long), "--json", "--output", str(tmp_path / "walked"))
        asked = sandbox.requests_by_route.total()
        got = command(sandbox, "run", str(short), "--json", "--output", str(tmp_path / "got"))

    assert (walked.code, walked.summary["outcomes"]["loaded"]) == (0, 9_000)
    assert "page: 9,000 ids of 9,500 jobs" in walked.err
    assert asked < 150
    assert walked.summary["figures"]["requests"] == asked - 1  # and one to ask who it is
    assert (got.code, got.summary["outcomes"]["loaded"]) == (0, 50)
    assert "get: 50 ids of 9,500 jobs" in got.err
