"""Logs as JSON in the fields of the Elastic Common Schema: every line of stderr, with the run's id, masked."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from commands import Ended, etl
from documents import job
from terminals import run_on_terminal

from etl.observe.ecs import EcsFormatter
from etl.observe.run_name import name_run
from etl.sandbox.faults import Faults
from etl.sandbox.settings import POOR_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benches import MakeBench

SECRET = "top-secret-key/with\"quotes'"


def lines(ended: Ended) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ended.err.splitlines()]


@pytest.fixture(autouse=True)
def nameless() -> Iterator[None]:
    yield
    name_run(None)


def test_every_line_is_json_and_carries_the_run_and_the_last_one_the_figures_of_the_summary(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")}, faults=Faults(always_fail=frozenset({"b"})))

    ended = bench.run("--max-attempts", "1", "--log-format", "json", ids=["a", "b", "gone"])

    told = lines(ended)
    assert len(told) >= 3
    assert {line["etl"]["run_id"] for line in told} == {ended.summary["run_id"]}
    for line in told:
        datetime.fromisoformat(line["@timestamp"])
        assert line["ecs.version"]
        assert line["log.level"] in {"info", "warning", "error"}
        assert line["service"]["name"] == "sync-jobs-etl"
    last = told[-1]
    assert last["event"]["action"] == "run-ended"
    assert (last["event"]["outcome"], last["log.level"]) == ("failure", "error")
    assert last["event"]["duration"] == pytest.approx(last["etl"]["elapsed_s"] * 1e9, abs=1e6)
    assert last["etl"]["outcomes"] == ended.summary["outcomes"]
    assert last["etl"]["exit_code"] == ended.code == 3
    assert last["error"]["message"] == ended.summary["problem"]
    assert ended.summary["problem"] in [line["message"] for line in told]


def test_quiet_says_nothing_unless_something_is_wrong(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    well = bench.run("--log-format", "json", "-q")
    bench.env["ELASTICSEARCH_API_KEY"] = POOR_KEY.encoded
    ill = bench.run("--log-format", "json", "-q", "--refresh")

    assert (well.code, well.err) == (0, "")
    assert ill.code == 77
    assert all(line["log.level"] == "error" for line in lines(ill))
    assert any("monitor_connector" in line["message"] for line in lines(ill))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--log-format", "json"], 2, "no cluster given"),
        (["run", "--settle", "soon", "--log-format", "json"], 2, "'soon' is no duration"),
        (["run", "--url", "http://127.0.0.1:9", "--max-attempts", "1", "--log-format", "json"], 69, "127.0.0.1:9"),
        (["replay", "no-such-file", "--log-format", "json"], 2, "no-such-file"),
        (["discover", "--url", "http://127.0.0.1:9", "--max-attempts", "1", "--log-format", "json"], 69, "127.0.0.1"),
    ],
)
def test_what_ends_a_command_before_a_run_is_a_line_without_a_run(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "jobs.txt").write_text("a\n")

    ended = etl(*arguments, env={"ETL_OUTPUT": str(tmp_path / "out"), "ETL_JOBS_FILE": str(tmp_path / "jobs.txt")})

    assert ended.code == code
    told = lines(ended)
    assert said in told[-1]["message"]
    assert "etl" not in told[-1]


def test_a_command_after_one_with_json_speaks_text_again(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run("--log-format", "json")

    assert etl("verify", "--output", str(bench.folder / "none")).err.startswith("etl: ")
    said = bench.run("--refresh").err.splitlines()
    assert [line for line in said if line.endswith(": 1 ids from c2FuZGJveC1jbHVzdGVyLQ")]
    assert not [line for line in said if line.startswith("{")]


def test_secrets_are_masked_in_every_string_and_the_line_stays_json() -> None:
    formatter = EcsFormatter([SECRET])
    name_run("20261124T000000Z-aaaaaa")
    try:
        int(SECRET)
    except ValueError:
        record = logging.LogRecord("etl", logging.ERROR, "", 0, "key %s\n\x1b[2J", (SECRET,), sys.exc_info())
    record.etl = {"deep": [SECRET, {"x": f"at https://u:{SECRET}@h"}], "count": 3}

    text = formatter.format(record)

    line = json.loads(text)
    assert "\n" not in text
    assert "\x1b" not in text
    assert "top-secret" not in text
    assert line["error"]["type"] == "ValueError"
    assert "[redacted]" in line["error"]["message"]
    assert line["etl"] == {
        "deep": ["[redacted]", line["etl"]["deep"][1]],
        "count": 3,
        "run_id": "20261124T000000Z-aaaaaa",
    }


def test_a_terminal_gets_lines_of_json_and_no_bar(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etl", "demo", "--output", str(tmp_path / "out"), "--log-format", "json"]

    code, told = run_on_terminal(command, stdout=subprocess.DEVNULL)

    assert code == 0
    assert [json.loads(line)["service"]["name"] for line in told.splitlines()]
