"""Standard streams that are closed, full or read by nobody; and an interrupt before there is a command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from commands import etl
from documents import job

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench

ETL = f"{sys.executable} -m etl"


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; `etl` is this one. It ends with the exit code of the first program that failed."""
    function = f'etl() {{ {ETL} "$@"; }}\n'
    command = ["/bin/bash", "-o", "pipefail", "-c", function + line]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_run_whose_streams_are_closed_publishes_and_writes_no_word_into_its_files(
    make: MakeBench, closed: str
) -> None:
    bench = make({"a": job(id="a")})
    (bench.folder / "jobs.txt").write_text("a\ngone\n")
    settings = f"ELASTICSEARCH_URL={bench.sandbox.url} ELASTICSEARCH_API_KEY={bench.sandbox.api_key}"

    ended = shell(f"{settings} etl run jobs.txt -vv {closed}", bench.folder)

    assert ended.returncode == 0
    assert etl("verify", "--output", str(bench.output)).code == 0


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("etl run - --url http://127.0.0.1:9 <&-", "input"),
        ("etl replay - <&-", "input"),
        ("etl export - --format csv --table sync_jobs --output {published} >&-", "output"),
    ],
)
def test_a_closed_stream_that_is_asked_for_is_told(published: Path, tmp_path: Path, line: str, name: str) -> None:
    ended = shell(line.format(published=published), tmp_path)

    assert ended.returncode == 2
    assert f"-: standard {name} is closed" in ended.stderr


def test_saved_documents_in_files_need_no_standard_input(tmp_path: Path) -> None:
    (tmp_path / "saved.ndjson").write_text('{"id": "a", "status": "completed"}\n')

    assert shell("etl replay saved.ndjson -q <&-", tmp_path).returncode == 0


@pytest.mark.parametrize("line", ["etl --help", "etl schema", "etl inspect --json --output {published}"])
def test_a_full_disk_behind_standard_output_is_told_as_such(published: Path, tmp_path: Path, line: str) -> None:
    ended = shell(line.format(published=published) + " > /dev/full", tmp_path)

    assert ended.returncode == 74
    assert ended.stderr.startswith("etl: standard output: cannot be written: No space left on device; ")
    assert ended.stderr.count("\n") == 1


def test_words_that_standard_error_does_not_take_fail_no_command(published: Path, tmp_path: Path) -> None:
    ended = shell(f"etl export - --format csv --table sync_jobs --output {published} 2> /dev/full", tmp_path)

    assert ended.returncode == 0
    assert ended.stdout.startswith('"job_id",')
    assert shell("etl nothing 2> /dev/full", tmp_path).returncode == 2


def test_a_list_of_ids_ends_well_where_nobody_reads_on(make: MakeBench) -> None:
    bench = make({f"job-{number}": job(id=f"job-{number}") for number in range(3)})
    settings = f"ELASTICSEARCH_URL={bench.sandbox.url} ELASTICSEARCH_API_KEY={bench.sandbox.api_key}"

    ended = shell(f"{settings} etl discover | true", bench.folder)

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_command_that_nobody_reads_still_says_by_its_exit_code_what_it_found(tmp_path: Path) -> None:
    ended = shell("etl doctor --url http://127.0.0.1:9 --max-attempts 1 | true", tmp_path)

    assert (ended.returncode, ended.stderr) == (5, "")


def test_an_interrupt_while_commands_are_loaded_is_one_line(tmp_path: Path) -> None:
    code = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, path, target=None):
        if name == "click":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
import runpy
sys.argv = ["etl", "schema"]
runpy.run_module("etl", run_name="__main__")
"""
    command = [sys.executable, "-c", code]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "\netl: interrupted\n")
