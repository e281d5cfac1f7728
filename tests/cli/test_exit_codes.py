"""One test a row of the exit codes, through the command line; each message names place, value and remedy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from commands import etl
from documents import job

from etl.errors import ExitCode
from etl.load.lock import DatasetLock
from etl.load.storage import Storage
from etl.sandbox.access import ApiKey
from etl.sandbox.faults import Faults
from etl.sandbox.settings import POOR_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench


def test_0_every_id_is_accounted_for(make: MakeBench) -> None:
    ended = make({"a": job(id="a")}).run(ids=["a", "gone"])

    assert (ended.code, ended.summary["problem"]) == (0, None)


def test_0_an_empty_list_of_ids_is_a_warning(make: MakeBench) -> None:
    bench = make({})

    ended = bench.run(ids=[])

    assert (ended.code, ended.summary["requested"]) == (0, 0)
    assert "warning: the jobs file names no id" in ended.err
    assert not (bench.output / "latest").exists()


def test_1_a_bug_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.schema.dictionary.as_json", lambda: 1 // 0)

    ended = etl("schema", "--format", "json")

    assert ended.code == 1
    assert (
        ended.err == "etl: a bug: ZeroDivisionError: integer division or modulo by zero; please report it, with -vv\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "no cluster given: set ELASTICSEARCH_URL"),
        (["run", "no-such-file", "--url", "http://127.0.0.1:9"], "no-such-file: cannot read the jobs file"),
        (["run", "--url", "localhost:9200"], "no http(s) URL"),
        (["run", "--url", "http://u:p@127.0.0.1"], "ELASTICSEARCH_PASSWORD_FILE"),
        (["run", "--settle", "soon"], "'soon' is no duration"),
        (["run", "--concurrency", "0"], "--concurrency"),
        (["run", "--format", "xml", "--url", "{url}"], "format xml: unknown"),
        (["nothing"], "No such command"),
        (["schema", "--format", "arrow"], "go together"),
        (["sandbox", "--host", "192.0.2.1"], "loopback"),
        (["sandbox", "--jobs", "3000000000"], "1000000"),
        (["demo", "--jobs", "3000000000"], "1000000"),
    ],
)
def test_2_usage_and_settings(make: MakeBench, tmp_path: Path, arguments: list[str], said: str) -> None:
    url = make({}).sandbox.url
    (tmp_path / "jobs.txt").write_text("a\n")

    ended = etl(
        *(argument.format(url=url) for argument in arguments),
        env={"ETL_OUTPUT": str(tmp_path / "out"), "ETL_JOBS_FILE": str(tmp_path / "jobs.txt")},
    )

    assert ended.code == 2
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert "[redacted]" not in ended.err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--connect-timeout", "0"),
        ("--read-timeout", "0s"),
        ("--id-deadline", "0"),
        ("--settle", "99999999999d"),
        ("--deadline", "36501d"),
        ("--keep-hours", "nan"),
        ("--keep-hours", "inf"),
        ("--keep-hours", "1e300"),
    ],
)
def test_2_a_number_that_no_clock_can_mean(tmp_path: Path, option: str, value: str) -> None:
    ended = etl("run", "-", option, value, "--output", str(tmp_path / "out"), env={"ELASTICSEARCH_URL": "http://[::1]"})

    assert (ended.code, option in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "is empty"),
        ("gs://bucket/dataset", "is an address"),
        ("file:///srv/dataset", "is an address"),
        ("x" * 300, "too long"),
        ("caf\udce9", "'caf\\udce9' is no UTF-8"),
    ],
    ids=["empty", "gs", "file", "long", "latin-1"],
)
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "-", "--url", "http://[::1]", "--output"],
        ["run", "--url", "http://[::1]"],
        ["run", "-", "--url", "http://[::1]", "--metrics-file"],
        ["inspect", "--output"],
        ["verify", "--output"],
        ["compact", "--output"],
        ["doctor", "--output"],
        ["replay"],
        ["export", "--format", "csv"],
        ["report", "--to"],
    ],
    ids=" ".join,
)
def test_2_what_can_be_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], path: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = etl(*arguments, path)

    assert (ended.code, said in " ".join(ended.err.replace(f"{tmp_path}/", "").split())) == (2, True), ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_longest_durations_are_taken(make: MakeBench) -> None:
    durations = ("--settle", "--overlap", "--deadline", "--connect-timeout", "--read-timeout", "--id-deadline")
    arguments = [word for option in (*durations, "--retry-after-cap") for word in (option, "36500d")]

    assert make({"a": job(id="a")}).run("--keep-hours", "876000", "--max-failures", "100%", *arguments).code == 0


def test_2_a_dataset_of_another_cluster(make: MakeBench) -> None:
    first = make({"a": job(id="a")}, cluster_uuid="cluster-one")
    first.run()
    second = make({"a": job(id="a")}, cluster_uuid="cluster-two")

    ended = second.run()

    assert ended.code == 2
    assert "holds sync jobs of cluster-one, not of cluster-two; choose another --output" in ended.err


def test_3_published_but_ids_failed(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")}, faults=Faults(always_fail=frozenset({"b"})))

    ended = bench.run("--max-attempts", "1")

    assert ended.code == 3
    assert pd.read_parquet(bench.output / "latest" / "sync_jobs")["job_id"].tolist() == ["a"]
    failed = (bench.output / "runs" / ended.summary["run_id"] / "failed.txt").read_text()
    assert failed.startswith("b # 503: ")
    bench.env["ETL_JOBS_FILE"] = ended.summary["failed_file"]
    assert "run again with the failed.txt" in ended.err


def test_3_invalid_lines_are_named_and_stand_in_failed_txt_as_comments(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    ended = bench.run(ids=["a", "b\tc", *("d" * length for length in range(513, 517))])

    assert ended.code == 3
    assert "incomplete: 5 invalid; correct the invalid lines of the jobs file (line 2: 'b\\tc' holds a c" in ended.err
    assert "' has 514 bytes, more than 512, and 2 more in failed.txt)" in ended.err
    assert ended.summary["failed_file"] is None
    failed = (bench.output / "runs" / ended.summary["run_id"] / "failed.txt").read_text().splitlines()
    assert failed[0] == "# line 2: 'b\\tc' holds a control character"
    assert len(failed) == 5
    assert all(line.startswith("# line ") for line in failed)


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (
            ["..", "."],
            "no line of the jobs file is an id, nothing was published; correct the invalid lines of the jobs",
        ),
        (["gone", ".."], "the cluster has none of these ids, nothing was published: is this the right cluster?; corr"),
        (["gone", "..", "never"], "every id failed or was not found, nothing was published: see the reasons in failed"),
    ],
)
def test_4_no_id_gave_a_job_for_whatever_reason(make: MakeBench, ids: list[str], said: str) -> None:
    bench = make({"a": job(id="a")}, faults=Faults(always_fail=frozenset({"never"})))

    ended = bench.run("--max-attempts", "1", ids=ids)

    assert ended.code == 4
    assert said in ended.err
    assert "line " in ended.err
    assert not (bench.output / "latest").exists()


def test_3_strict_counts_what_is_not_found(make: MakeBench) -> None:
    ended = make({"a": job(id="a")}).run("--strict", ids=["a", "gone"])

    assert (ended.code, ended.summary["outcomes"]["not_found"]) == (3, 1)


def test_4_every_id_failed(make: MakeBench) -> None:
    bench = make({"a": job(id="a")}, faults=Faults(always_fail=frozenset({"a"})))

    ended = bench.run("--max-attempts", "1")

    assert ended.code == 4
    assert not (bench.output / "latest").exists()


def test_4_every_id_was_not_found(make: MakeBench) -> None:
    ended = make({"a": job(id="a")}).run(ids=["x", "y"])

    assert ended.code == 4
    assert "is this the right cluster?" in ended.err


def test_5_a_check_found_something(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    damaged = next((bench.output / "latest" / "sync_jobs").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])

    ended = etl("verify", "--output", str(bench.output))

    assert ended.code == 5
    assert damaged.name in ended.out


def test_69_nothing_listens(tmp_path: Path) -> None:
    (tmp_path / "jobs.txt").write_text("a\n")

    ended = etl("run", str(tmp_path / "jobs.txt"), "--url", "http://127.0.0.1:9", "--max-attempts", "1")

    assert ended.code == 69
    assert "127.0.0.1:9" in ended.err


def test_69_the_version_is_too_old(make: MakeBench) -> None:
    ended = make({"a": job(id="a")}, version="8.11.4").run()

    assert ended.code == 69
    assert "connector sync jobs need 8.12 or later" in ended.err


def test_69_the_cluster_has_no_sync_jobs_at_all(make: MakeBench) -> None:
    ended = make({"a": job(id="a")}, has_index=False).run()

    assert ended.code == 69


def test_74_the_output_cannot_be_written(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.output.write_text("a file in the place of the folder")

    ended = bench.run()

    assert ended.code in {2, 74}
    assert str(bench.output) in ended.err


def test_75_another_run_holds_the_lock(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.output.mkdir()
    lock = DatasetLock.acquire(Storage(bench.output), run_id="20261124T000000Z-aaaaaa", now=datetime.now(UTC))
    try:
        ended = bench.run()
    finally:
        lock.release()

    assert ended.code == 75
    assert "20261124T000000Z-aaaaaa" in ended.err


def test_77_the_key_is_refused(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.env["ELASTICSEARCH_API_KEY"] = ApiKey(id="other", secret="other").encoded

    ended = bench.run()

    assert ended.code == 77
    assert "refuses the API key; check ELASTICSEARCH_API_KEY" in ended.err
    assert "[redacted]" not in ended.err


def test_77_a_privilege_is_missing_and_the_message_names_it(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")})
    bench.env["ELASTICSEARCH_API_KEY"] = POOR_KEY.encoded

    ended = bench.run()

    assert ended.code == 77
    assert "needs the cluster privilege monitor_connector" in ended.err
    assert "[redacted]" not in ended.err
    assert ended.summary["outcomes"]["failed"] == 2


def test_every_exit_code_is_in_the_help() -> None:
    ended = etl("--help")

    for code in ExitCode:
        assert f" {int(code)} " in ended.out
