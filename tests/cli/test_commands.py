"""One test a command: what its help says, and that it does what it is for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa
import pytest
import requests
from commands import etl
from documents import job

from etl.cli.main import COMMANDS
from etl.schema.arrow import arrow_schema

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself_with_examples(command: str) -> None:
    told = etl(command, "--help")

    assert told.code == 0
    assert "Example" in told.out
    assert COMMANDS[command].split()[0] in etl("--help").out


def test_the_version_is_told() -> None:
    assert etl("--version").out.startswith("etl, version ")


def test_run_is_the_main_job(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    (bench.folder / "jobs.txt").write_text("a\n")
    env = {**os.environ, "ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}

    # With no argument at all: jobs.txt here, and the dataset in ./output.
    subprocess.run([sys.executable, "-m", "etl", "run", "-q"], cwd=bench.folder, env=env, check=True)

    assert pd.read_parquet(bench.folder / "output" / "latest" / "sync_jobs")["job_id"].tolist() == ["a"]


def test_quiet_says_nothing_when_all_is_well_and_json_is_all_of_stdout(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}
    (bench.folder / "jobs.txt").write_text("a\na\n")
    arguments = ["run", str(bench.folder / "jobs.txt"), "--output", str(bench.output)]

    quiet = etl(*arguments, "-q", env=env)
    as_json = etl(*arguments, "--json", env=env)

    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert json.loads(as_json.out)["outcomes"]["unchanged"] == 1
    assert "repeat an id" in as_json.err


@pytest.mark.parametrize(
    ("variable", "value", "setting"),
    [
        ("ETL_CONCURRENCY", "3", ("concurrency", 3)),
        ("ETL_TRANSPORT", "requests", ("transport", f"requests {requests.__version__}")),
        ("ETL_SETTLE", "2h", ("settle_s", 7200.0)),
        ("ETL_EXPOSE", "host,port", ("exposed", ["host", "port"])),
        ("ETL_FORMAT", "parquet,csv", ("formats", ["parquet", "csv"])),
        ("ETL_REFRESH", "1", ("refresh", True)),
        ("ETL_STRICT", "true", ("strict", True)),
        ("ETL_BATCH_SIZE", "7", ("batch_size", 7)),
        ("ETL_MAX_FAILURES", "5%", ("max_failures", "5%")),
        ("ETL_DEADLINE", "1h", ("deadline_s", 3600.0)),
        ("ETL_CSV_RAW", "1", ("csv_raw", True)),
    ],
)
def test_every_option_can_be_given_in_the_environment(
    make: MakeBench, variable: str, value: str, setting: tuple[str, object]
) -> None:
    bench = make({"a": job(id="a")})
    bench.env[variable] = value

    ended = bench.run()

    manifest = json.loads((bench.output / "runs" / ended.summary["run_id"] / "_manifest.json").read_text())
    assert manifest["settings"][setting[0]] == setting[1]


def test_a_misspelt_variable_is_told_and_foreign_ones_are_not(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.env |= {"ETL_CONCURENCY": "3", "ETL_HOME": "/srv/etl", "ETL_TO": "report.html", "ETL_USER": "cron"}

    warnings = [line for line in bench.run().err.splitlines() if line.startswith("warning: ")]

    assert warnings == ["warning: ETL_CONCURENCY of the environment is not read: is ETL_CONCURRENCY meant?"]
    assert bench.run("-q").err == ""
    for line in bench.run("--log-format", "json").err.splitlines():
        assert json.loads(line)["message"]


def test_what_the_environment_says_for_the_main_job_disturbs_no_other_command(published: Path, tmp_path: Path) -> None:
    env = {"ETL_FORMAT": "parquet,csv", "ETL_TABLE": "sync_jobs", "ETL_ALL": "1", "ETL_OUTPUT": str(published)}

    assert etl("schema", env=env).code == 0
    assert etl("export", str(tmp_path / "out"), "--format", "csv", "-q", env=env).code == 0
    assert etl("schema", env={"ETL_SCHEMA_FORMAT": "json"}).out.startswith("{")


@pytest.mark.parametrize("env", [{"ETL_ALL": "1"}, {"ETL_ALL": "1", "ETL_SINCE": "30d"}, {"ETL_STATUS": "error"}])
def test_a_jobs_file_that_is_named_wins_over_what_the_environment_says_for_all_jobs(
    make: MakeBench, env: dict[str, str]
) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")})
    bench.env.update(env)

    ended = bench.run(ids=["a"])

    assert (ended.code, ended.summary["requested"]) == (0, 1)
    assert f"warning: {' and '.join(env)} of the environment left out: a jobs file is named" in ended.err
    assert "left out" not in bench.run("-q", ids=["a"]).err


def test_all_on_the_command_line_wins_over_a_jobs_file_of_the_environment(make: MakeBench) -> None:
    bench = make({"a": job(id="a"), "b": job(id="b")})
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}
    arguments = ["run", "--json", "--output", str(bench.output)]

    ended = etl(*arguments, "--all", env={**env, "ETL_JOBS_FILE": "jobs.txt"})

    assert (ended.code, ended.summary["requested"]) == (0, 2)
    assert etl(*arguments, env={**env, "ETL_JOBS_FILE": "jobs.txt", "ETL_ALL": "1"}).code == 2
    assert etl(*arguments, "jobs.txt", "--status", "error", env=env).code == 2


def test_demo_needs_nothing_and_says_where_to_look(tmp_path: Path) -> None:
    ended = etl("demo", "--output", str(tmp_path / "out"))

    assert ended.code == 0
    assert f"published in {tmp_path}/out/latest" in ended.out
    [look] = [line.removeprefix("look at it: ") for line in ended.out.splitlines() if line.startswith("look at it: ")]
    shown = subprocess.run(
        ["/bin/sh", "-c", look], env={"PATH": "/nowhere"}, capture_output=True, text=True, check=True
    )
    assert "job_id" in shown.stdout


def test_sandbox_serves_until_it_is_interrupted_and_prints_what_to_export(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etl", "sandbox", "--port", "0", "--jobs", "5"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as sandbox:
        assert sandbox.stdout is not None
        url = sandbox.stdout.readline().strip().removeprefix("export ELASTICSEARCH_URL=")
        key = sandbox.stdout.readline().strip().removeprefix("export ELASTICSEARCH_API_KEY=")
        answer = requests.get(url, headers={"Authorization": f"ApiKey {key}"}, timeout=30).json()
        sandbox.send_signal(2)
        _, err = sandbox.communicate()

    assert answer["tagline"] == "You Know, for Search"
    assert (sandbox.returncode, err) == (130, "\netl: interrupted\n")


def test_schema_prints_the_dictionary_in_each_form() -> None:
    assert "# Data dictionary" in etl("schema").out
    assert len(json.loads(etl("schema", "--format", "json").out)["tables"]) == 7
    arrow = etl("schema", "--format", "arrow", "--table", "sync_jobs").raw
    assert pa.ipc.read_schema(pa.py_buffer(arrow)).equals(arrow_schema("sync_jobs"))


def test_inspect_shows_the_dataset(published: Path) -> None:
    assert "sync_jobs" in etl("inspect", "--output", str(published)).out


def test_a_reader_that_goes_away_is_no_error(published: Path) -> None:
    command = f"{sys.executable} -m etl inspect --output {published} | head -n 1"

    ended = subprocess.run(["/bin/bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)

    assert ended.stderr == ""
    assert ended.returncode == 0


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_time_that_is_none_is_told_with_its_option(option: str) -> None:
    ended = etl("report", option, "banana")

    assert ended.code == 2
    assert f"{option}'" in ended.err
    assert "'banana' is no time" in ended.err


def test_one_thing_is_not_told_as_several(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    (bench.folder / "jobs.txt").write_text("a\n")
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": bench.sandbox.api_key}
    arguments = ["run", str(bench.folder / "jobs.txt"), "--output", str(bench.output)]

    told = [etl(*arguments, *more, env=env).out for more in (["--dry-run"], [], ["--dry-run"])]
    told.append(etl("compact", "--output", str(bench.output)).out)

    assert "1 batch to stage" in told[0]
    assert [word for text in told for word in re.findall(r"(?<![\d,.])1 [\w ]*?(?:es|ts|bs)\b", text)] == []
