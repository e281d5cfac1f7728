"""The figures of a run for Prometheus: whichever way it ends, its file is whole, and knows the last success."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from commands import etl
from documents import job
from prometheus_client.parser import text_string_to_metric_families

from etl.load.lock import DatasetLock
from etl.load.storage import Storage
from etl.observe.metrics import RunMetrics, write_metrics
from etl.sandbox.access import ApiKey
from etl.sandbox.faults import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from benches import Bench, MakeBench

SUCCESS = "etl_last_success_timestamp_seconds"


def read(path: Path) -> dict[str, Any]:
    """Read the samples, by name, or by name and outcome."""
    samples = [s for family in text_string_to_metric_families(path.read_text()) for s in family.samples]
    return {" ".join([s.name, *(v for k, v in s.labels.items() if k != "output")]): s.value for s in samples}


def metered(bench: Bench, *arguments: str, **more: Any) -> tuple[int, dict[str, Any]]:
    path = bench.folder / "etl.prom"
    ended = bench.run("--metrics-file", str(path), *arguments, **more)
    return ended.code, read(path)


def test_a_run_leaves_its_figures_and_those_of_the_dataset(make: MakeBench) -> None:
    bench = make({"a": job(id="a", created_at="2026-09-02"), "b": job(id="b", created_at="2026-10-02")})
    before = time.time()

    code, found = metered(bench, ids=["a", "b", "gone"])

    assert code == found["etl_last_run_exit_code"] == 0
    assert before <= found[SUCCESS] == found["etl_last_run_timestamp_seconds"] <= time.time()
    assert found["etl_last_run_duration_seconds"] > 0
    assert (found["etl_last_run_ids loaded"], found["etl_last_run_ids not_found"]) == (2, 1)
    assert found["etl_dataset_jobs"] == 2
    assert found["etl_dataset_bytes"] > 1000
    assert found["etl_dataset_newest_job_timestamp_seconds"] == datetime(2026, 10, 2, tzinfo=UTC).timestamp()


def test_attempts_beyond_the_first_are_counted(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")}, faults=Faults(always_fail=frozenset({"b"})))

    code, found = metered(bench, "--max-attempts", "2")

    assert (code, found["etl_last_run_retries"], found["etl_last_run_ids failed"]) == (3, 1, 1)


def test_the_last_success_outlives_runs_that_fail_and_runs_that_cannot_begin(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    _, well = metered(bench)
    bench.env["ELASTICSEARCH_API_KEY"] = ApiKey(id="other", secret="other").encoded
    refused, after_77 = metered(bench)
    bench.env.clear()
    lock = DatasetLock.acquire(Storage(bench.output), run_id="20261124T000000Z-aaaaaa", now=datetime.now(UTC))
    try:
        locked, after_75 = metered(bench)
    finally:
        lock.release()
    bench.env["ELASTICSEARCH_URL"] = "http://127.0.0.1:9"
    unreachable, after_69 = metered(bench, "--max-attempts", "1")

    assert (refused, locked, unreachable) == (77, 75, 69)
    for code, found in ((77, after_77), (75, after_75), (69, after_69)):
        assert found["etl_last_run_exit_code"] == code
        assert found[SUCCESS] == well[SUCCESS] < found["etl_last_run_timestamp_seconds"]
        assert found["etl_dataset_jobs"] == 1
        assert "etl_last_run_retries" not in found
        assert not [name for name in found if name.startswith("etl_last_run_ids")]


@pytest.mark.parametrize("earlier", [None, "", "cut off {", "\udcff", f'{SUCCESS}{{output="/elsewhere"}} 5.0\n'])
def test_without_a_success_its_time_is_0_so_that_an_alert_fires(
    make: MakeBench, tmp_path: Path, earlier: str | None
) -> None:
    bench = make({"a": job(id="a")})
    if earlier is not None:
        (tmp_path / "etl.prom").write_text(earlier, errors="surrogateescape")

    code, found = metered(bench, ids=["gone"])

    assert (code, found[SUCCESS]) == (4, 0)
    assert "etl_dataset_jobs" not in found


def test_usage_and_a_bug_have_their_exit_code_too(make: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make({"a": job(id="a")})
    usage = metered(bench, "--strategy", "mget", "--all")
    monkeypatch.setattr("etl.cli.run.run", lambda *_, **__: 1 // 0)
    bug = metered(bench)

    assert usage[0] == usage[1]["etl_last_run_exit_code"] == 2
    assert bug[0] == bug[1]["etl_last_run_exit_code"] == 1


def test_replay_leaves_figures_and_a_dry_run_none(make: MakeBench, tmp_path: Path) -> None:
    bench = make({"a": job(id="a")})
    dry = bench.run("--metrics-file", str(tmp_path / "dry.prom"), "--dry-run")
    (tmp_path / "saved.ndjson").write_text('{"id": "x", "status": "completed"}\n')

    ended = etl("replay", str(tmp_path / "saved.ndjson"), "--output", str(tmp_path / "r"), "--metrics-file",
                str(tmp_path / "r.prom"))  # fmt: skip

    assert (dry.code, ended.code) == (0, 0)
    assert not (tmp_path / "dry.prom").exists()
    assert read(tmp_path / "r.prom")["etl_last_run_ids loaded"] == 1
    assert "etl_dataset_newest_job_timestamp_seconds" not in read(tmp_path / "r.prom")


def test_everybody_may_read_the_file_and_nothing_else_is_left(tmp_path: Path) -> None:
    run = RunMetrics(output="/o", exit_code=0, ended_at=1.0, duration_s=2.0)
    before = os.umask(0o077)
    try:
        write_metrics(tmp_path / "etl.prom", run)
    finally:
        os.umask(before)

    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("etl.prom", 0o644)]


def test_a_reader_sees_the_old_or_the_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "etl.prom"
    run = RunMetrics(output="/o", exit_code=0, ended_at=1.0, duration_s=2.0)
    write_metrics(path, run)
    old = path.read_bytes()
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(OSError, match="No space"):
        write_metrics(path, RunMetrics(output="/o", exit_code=3, ended_at=9.0, duration_s=2.0))

    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_metrics_that_cannot_be_written_in_the_end_are_told_and_the_exit_code_is_the_runs(
    make: MakeBench, tmp_path: Path
) -> None:
    bench = make({"a": job(id="a")})
    (tmp_path / "etl.prom").mkdir()
    bench.env["ETL_METRICS_FILE"] = str(tmp_path / "etl.prom")

    told = bench.run()
    bench.env["ETL_METRICS_FILE"] = str(tmp_path / "good.prom")
    (tmp_path / f".good.prom.{os.getpid()}.tmp").mkdir()
    late = bench.run("-q")

    assert told.code == 2
    assert late.code == 0
    assert "the metrics cannot be written: Is a directory" in late.err
    assert (bench.output / "latest").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("etl.txt", "end in .prom"), ("none/etl.prom", "none is no folder that this account can write")],
)
def test_a_file_that_nothing_would_read_or_write_is_refused_before_the_run(
    make: MakeBench, tmp_path: Path, name: str, said: str
) -> None:
    bench = make({"a": job(id="a")})

    ended = bench.run("--metrics-file", str(tmp_path / name))

    assert ended.code == 2
    assert said in ended.err
    assert bench.asked() == {}


def test_without_the_library_the_message_names_the_extra(make: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "etl.settings.extras.find_spec", lambda name: None if name == "prometheus_client" else found(name)
    )
    bench = make({"a": job(id="a")})

    ended = bench.run("--metrics-file", "etl.prom")

    assert ended.code == 2
    assert f"needs prometheus-client: install with {sys.executable} -m pip install prometheus-client" in ended.err
    assert bench.run().code == 0


def test_without_the_option_neither_the_library_nor_that_of_the_log_is_loaded() -> None:
    check = "import sys, etl.cli.run, etl.cli.replay; print({'prometheus_client', 'ecs_logging'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)

    assert ended.stdout == "set()\n"


def test_an_output_of_any_name_is_a_label_that_is_found_again(make: MakeBench, tmp_path: Path) -> None:
    bench = make({"a": job(id="a")})
    bench.env["ETL_OUTPUT"] = str(tmp_path / 'a "quoted" \\ name')
    code, first = metered(bench)
    again, second = metered(bench, ids=[])

    assert (code, again) == (0, 0)
    assert second["etl_dataset_jobs"] == 1
    bench.env["ELASTICSEARCH_URL"] = "http://127.0.0.1:9"
    _, third = metered(bench, "--max-attempts", "1")
    assert third[SUCCESS] == second[SUCCESS] > first[SUCCESS]
