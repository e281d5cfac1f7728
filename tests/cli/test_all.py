"""`etl run --all` and `etl discover`: every sync job of a cluster, then what is new or may still change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from commands import Ended, etl
from elasticsearch import Elasticsearch
from kills import state_of

from etl.extract.walk.course import WalkSettings
from etl.sandbox.access import ApiKey
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import FULL_KEY, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIST_ONLY = ApiKey(id="list-only", secret="list-only", privileges=frozenset({"monitor", "monitor_connector"}))


def command(sandbox: Sandbox, *arguments: str, key: ApiKey = FULL_KEY) -> Ended:
    return etl(*arguments, env={"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": key.encoded})


@pytest.fixture(name="small")
def _small() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(jobs=600)) as sandbox:
        yield sandbox


def run_all(sandbox: Sandbox, output: Path, *more: str) -> dict[str, Any]:
    ended = command(sandbox, "run", "--all", "--json", "--output", str(output), *more)
    assert ended.code == 0, ended.err
    return ended.summary


def test_all_jobs_are_loaded_and_equal_those_fetched_by_id(small: Sandbox, tmp_path: Path) -> None:
    summary = run_all(small, tmp_path / "all")
    (tmp_path / "ids.txt").write_text("\n".join(id_of(number) for number in range(600)))
    by_id = command(small, "run", str(tmp_path / "ids.txt"), "--json", "--output", str(tmp_path / "by-id"))

    assert (summary["outcomes"]["loaded"], by_id.summary["outcomes"]["loaded"]) == (600, 600)
    assert summary["figures"]["requests"] <= 4
    assert state_of(tmp_path / "all") == state_of(tmp_path / "by-id")


def test_the_next_time_only_what_is_new_or_unsettled_is_fetched(small: Sandbox, tmp_path: Path) -> None:
    run_all(small, tmp_path / "out")
    new, moved = small.add_jobs(50), small.advance(limit=20)

    second = run_all(small, tmp_path / "out")

    assert second["figures"]["requests"] <= 30
    assert second["rows"]["sync_jobs"] == 650
    assert second["outcomes"]["loaded"] == len({*new, *moved})
    fresh = run_all(small, tmp_path / "fresh")
    assert fresh["rows"] == second["rows"]
    assert state_of(tmp_path / "out") == state_of(tmp_path / "fresh")
    third = run_all(small, tmp_path / "out")
    assert third["snapshot"] is None


def test_filters_narrow_a_walk_and_have_a_watermark_of_their_own(small: Sandbox, tmp_path: Path) -> None:
    everything = command(small, "discover").out.split()
    errors = run_all(small, tmp_path / "out", "--status", "error", "--job-type", "full")

    jobs = pd.read_parquet(tmp_path / "out" / "latest" / "sync_jobs")
    assert (set(jobs["status"]), set(jobs["job_type"])) == ({"error"}, {"full"})
    assert errors["outcomes"]["loaded"] == len(jobs) > 0
    run_all(small, tmp_path / "out")
    assert sorted(pd.read_parquet(tmp_path / "out" / "latest" / "sync_jobs")["job_id"]) == sorted(everything)


def test_since_and_until_are_half_open_in_the_time_of_creation(small: Sandbox, tmp_path: Path) -> None:
    run_all(small, tmp_path / "out", "--since", "2025-03-01", "--until", "2025-04-01")

    created = pd.read_parquet(tmp_path / "out" / "latest" / "sync_jobs")["created_at"]
    assert created.min() >= pd.Timestamp("2025-03-01", tz="UTC")
    assert created.max() < pd.Timestamp("2025-04-01", tz="UTC")
    assert set(pd.read_parquet(tmp_path / "out" / "latest" / "sync_jobs")["created_month"]) == {"2025-03"}


@pytest.mark.parametrize("arguments", [["--connector-id", "nosuch"], ["--since", "2099-01-01"]])
def test_filters_that_nothing_matches_end_in_0_with_a_warning(
    small: Sandbox, tmp_path: Path, arguments: list[str]
) -> None:
    told = "no sync job of the cluster matches: check the filters"
    assert told in run_all(small, tmp_path / "out", *arguments)["warnings"]
    run_all(small, tmp_path / "out", "--status", "completed")
    assert told in run_all(small, tmp_path / "out", *arguments)["warnings"]
    assert not run_all(small, tmp_path / "out", "--status", "completed")["warnings"]


def test_what_discover_prints_is_a_jobs_file_with_every_id_that_the_official_client_finds(
    small: Sandbox, tmp_path: Path
) -> None:
    found = command(small, "discover")
    (tmp_path / "jobs.txt").write_text(found.out)

    with pytest.warns(match="beta"), Elasticsearch(small.url, api_key=small.api_key) as client:
        listed = [
            document["id"]
            for start in range(0, 600, 500)
            for document in client.connector.sync_job_list(from_=start, size=500)["results"]
        ]
    assert sorted(found.out.split()) == sorted(listed)
    assert found.code == 0


@pytest.fixture(name="narrow", scope="module")
def _narrow() -> Iterator[Sandbox]:
    # A window of 80 stands for the 10,000 beyond which the list shows nothing, and counts no further.
    with Sandbox(SandboxSettings(jobs=2400, window=80, api_keys=(FULL_KEY, LIST_ONLY))) as sandbox:
        yield sandbox


@pytest.fixture(name="short_reach")
def _short_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever asks must expect the list to count no further than it does here.
    for module in ("discover", "whole"):
        monkeypatch.setattr(f"etl.pipeline.{module}.WalkSettings", partial(WalkSettings, reach=80, page_size=50))


@pytest.mark.usefixtures("short_reach")
def test_what_the_list_does_not_reach_is_found_in_the_index(narrow: Sandbox) -> None:
    found = command(narrow, "discover")

    assert (found.code, len(set(found.out.split()))) == (0, 2400)


@pytest.mark.usefixtures("short_reach")
def test_without_the_index_what_is_out_of_reach_is_said_with_the_remedy(narrow: Sandbox, tmp_path: Path) -> None:
    found = command(narrow, "run", "--all", "--json", "--output", str(tmp_path / "out"), key=LIST_ONLY)

    assert found.code == 3
    assert "the count stands at 80" in found.err
    assert "index privilege read" in found.err
    assert "parts of the cluster not read to the end" in found.summary["problem"]
    assert 1000 < found.summary["rows"]["sync_jobs"] < 2400
    again = command(narrow, "run", "--all", "--json", "--output", str(tmp_path / "out"))
    assert (again.code, again.summary["rows"]["sync_jobs"]) == (0, 2400)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "jobs.txt", "--all"], "exclude each other"),
        (["run", "jobs.txt", "--status", "error"], "filters narrow --all"),
        (["run", "--all", "--status", "exploded"], "'exploded' is no status"),
        (["run", "--all", "--since", "yesterday"], "'yesterday' is no time"),
        (["discover", "--since", "2025-02-01", "--until", "2025-01-01"], "no job can match"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments: list[str], said: str) -> None:
    ended = etl(*arguments, env={"ELASTICSEARCH_URL": "http://127.0.0.1:9"})

    assert (ended.code, said in ended.err) == (2, True)
