"""Runs on a Dask cluster of real programs: the same dataset as on one machine, and no secret on the way."""

from __future__ import annotations

import base64
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import trustme
from clusters import Cluster, cluster
from commands import Ended, etl
from relays import relay

import etl as package
from etl.engine import joining
from etl.pipeline import spread
from etl.sandbox.faults import NO_FAULTS, Faults
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = 60
PATIENCE_S = 120.0  # only a test that fails waits as long


@pytest.fixture(name="sandbox", scope="module")
def _sandbox() -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(jobs=JOBS)) as sandbox:
        yield sandbox


@pytest.fixture(name="dask", scope="module")
def _dask(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[Cluster]:
    env = {"ELASTICSEARCH_API_KEY": sandbox.api_key}
    with cluster(tmp_path_factory.mktemp("dask"), threads=2, env=env) as made:
        yield made


def ids_file(folder: Path, jobs: int = JOBS) -> str:
    path = folder / "ids.txt"
    path.write_text("".join(f"{id_of(number)}\n" for number in range(jobs)))
    return str(path)


def run(sandbox: Sandbox, output: Path, *arguments: str) -> Ended:
    env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": sandbox.api_key}
    return etl("run", *arguments, "--output", str(output), "--json", env=env)


def on(made: Cluster) -> list[str]:
    return ["--engine", "dask", "--dask-scheduler", made.address]


def differing(one: Path, other: Path) -> list[str]:
    """Return the tables whose rows differ, but for the time of receipt."""
    left, right = package.open_dataset(one), package.open_dataset(other)
    return [table.name for table in TABLES if rows(left, table.name) != rows(right, table.name)]


def rows(dataset: package.Dataset, table: str) -> object:
    found = dataset.read(table, as_="arrow")
    return found.drop_columns([name for name in ("fetched_at",) if name in found.column_names])


@pytest.mark.parametrize("arguments", [["{ids}", "--strategy", "get"], ["--all"]])
def test_a_run_on_a_cluster_gives_the_dataset_of_a_run_on_one_machine(
    sandbox: Sandbox, dask: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr(spread, "_JOBS_A_GROUP", JOBS // 3)  # so that the cluster merges months too
    asked = [argument.format(ids=ids_file(tmp_path)) for argument in arguments]

    ended = run(sandbox, tmp_path / "cluster", *asked, "--batch-size", "7", *on(dask))
    local = run(sandbox, tmp_path / "local", *asked, "--workers", "1")

    assert (ended.code, ended.summary["outcomes"]) == (0, local.summary["outcomes"]), ended.err
    assert ended.summary["outcomes"]["loaded"] == JOBS
    assert differing(tmp_path / "cluster", tmp_path / "local") == []
    assert not list((tmp_path / "cluster" / "_staging").glob("*"))
    assert etl("verify", "--output", str(tmp_path / "cluster")).code == 0


def test_no_credential_travels_and_none_is_logged(sandbox: Sandbox, dask: Cluster, tmp_path: Path) -> None:
    port = int(dask.address.rpartition(":")[2])
    with relay(port) as between:
        arguments = ["--engine", "dask", "--dask-scheduler", f"tcp://127.0.0.1:{between.port}"]
        ended = run(sandbox, tmp_path / "output", ids_file(tmp_path), "--strategy", "get", "-vv", *arguments)
        passed = bytes(between.passed)

    secrets = [sandbox.api_key, base64.b64decode(sandbox.api_key).decode().partition(":")[2]]
    assert ended.code == 0, ended.err
    assert id_of(7).encode() in passed  # what was said can be read there
    assert sandbox.url.encode() in passed
    assert not [secret for secret in secrets if secret.encode() in passed]
    assert not [secret for secret in secrets if secret in dask.logs() + ended.err + ended.out]
    assert "look" not in dask.logs()


def test_too_many_failures_end_a_run_on_a_cluster_with_every_id_accounted_for(
    sandbox: Sandbox, dask: Cluster, tmp_path: Path
) -> None:
    hopeless = Faults(always_fail=frozenset(id_of(number) for number in range(0, JOBS, 2)))
    with Sandbox(SandboxSettings(jobs=JOBS, faults=hopeless)) as faulty:
        assert faulty.api_key == sandbox.api_key  # which the workers have
        arguments = ["--strategy", "get", "--max-attempts", "1", "--max-failures", "3", "--batch-size", "5"]
        ended = run(faulty, tmp_path / "output", ids_file(tmp_path), *arguments, *on(dask))

    assert ended.code == 4, ended.err
    assert sum(ended.summary["outcomes"].values()) == ended.summary["requested"] == JOBS
    assert ended.summary["outcomes"]["failed"] > 3


@pytest.mark.slow
def test_a_worker_without_credentials_is_named_with_the_remedy(sandbox: Sandbox, tmp_path: Path) -> None:
    with cluster(tmp_path, workers=1) as bare:
        ended = run(sandbox, tmp_path / "output", ids_file(tmp_path), *on(bare))

    assert ended.code == 2
    assert "etl: Dask worker tcp://127.0.0.1:" in ended.err
    assert f"no credentials for {sandbox.url}" in ended.err
    assert "start it with ELASTICSEARCH_API_KEY" in ended.err


@pytest.mark.slow
def test_a_worker_that_may_not_read_ends_the_run_as_on_one_machine(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {"ELASTICSEARCH_API_KEY": "d3Jvbmc6d3Jvbmc="}
    with cluster(tmp_path, workers=1, env=env) as wrong:
        ended = run(sandbox, tmp_path / "output", ids_file(tmp_path), "--strategy", "get", *on(wrong))

    assert ended.code == 77
    assert "d3Jvbmc6d3Jvbmc" not in ended.err + wrong.logs()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "dask"], "add --dask-scheduler tcp://host:8786"),
        (["--dask-scheduler", "tcp://host:8786"], "--dask-scheduler is for --engine dask"),
        (["--engine", "dask", "--dask-scheduler", "host:8786"], "write it like tcp://host:8786"),
        (["--engine", "dask", "--dask-scheduler", "tcp://host"], "write it like tcp://host:8786"),
        (
            ["--engine", "dask", "--dask-scheduler", "tcp://host:8786", "--workers", "2"],
            "--workers is for this machine",
        ),
        (["--engine", "dask", "--dask-scheduler", "tls://127.0.0.1:8786"], "DASK_DISTRIBUTED__COMM__TLS__CA_FILE"),
    ],
)
def test_options_of_the_engine_that_do_not_fit_are_told(
    sandbox: Sandbox, tmp_path: Path, arguments: list[str], message: str
) -> None:
    ended = run(sandbox, tmp_path / "output", ids_file(tmp_path), *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


def test_without_the_library_the_message_names_the_extra(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("etl.settings.extras.find_spec", lambda name: None if name == "distributed" else found(name))

    ended = run(sandbox, tmp_path / "output", ids_file(tmp_path), "--engine", "dask", "--dask-scheduler", "tcp://a:1")

    assert ended.code == 2
    assert "--engine dask needs distributed: install with" in ended.err
    assert "-e '.[dask]'" in ended.err


def test_a_scheduler_that_does_not_answer_is_exit_69(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "ANSWER_WITHIN_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"

    ended = run(sandbox, tmp_path / "output", ids_file(tmp_path), "--engine", "dask", "--dask-scheduler", address)

    assert ended.code == 69
    assert ended.err.splitlines()[-1].startswith(f"etl: no Dask scheduler answers at {address}: start one with")


def test_an_engine_of_the_environment_is_heard(sandbox: Sandbox, dask: Cluster, tmp_path: Path) -> None:
    env = {
        "ELASTICSEARCH_URL": sandbox.url,
        "ELASTICSEARCH_API_KEY": sandbox.api_key,
        "ETL_ENGINE": "dask",
        "ETL_DASK_SCHEDULER": dask.address,
        "ETL_WORKERS": "2",
    }

    ended = etl("run", ids_file(tmp_path), "--output", str(tmp_path / "output"), "--json", env=env)

    assert ended.code == 0, ended.err
    assert ended.summary["outcomes"]["loaded"] == JOBS


def test_a_local_run_does_not_load_dask(sandbox: Sandbox, tmp_path: Path) -> None:
    env = {**os.environ, "ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": sandbox.api_key}
    loaded = "print({'dask', 'distributed'} & {*sys.modules})"
    code = f"import sys\nfrom etl.cli.main import main\ntry: main()\nfinally: {loaded}"
    command = [sys.executable, "-c", code, "run", ids_file(tmp_path), "--output", str(tmp_path / "output"), "--quiet"]

    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True)

    assert ended.stdout == "set()\n"


@pytest.mark.slow
def test_an_interrupt_ends_a_run_on_a_cluster_in_order_and_the_next_one_adopts(tmp_path: Path) -> None:
    jobs = 3_000
    with Sandbox(SandboxSettings(jobs=jobs)) as sandbox:
        key = {"ELASTICSEARCH_API_KEY": sandbox.api_key}
        output = tmp_path / "output"
        with cluster(tmp_path, env=key) as made:
            command = [sys.executable, "-m", "etl", "run", ids_file(tmp_path, jobs), "--output", str(output), "--json",
                       "--batch-size", "100", "--strategy", "get", *on(made)]  # fmt: skip
            env = {**os.environ, **key, "ELASTICSEARCH_URL": sandbox.url}
            with subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            ) as running:
                assert batches(output, 3)
                running.send_signal(signal.SIGINT)
                out, err = running.communicate(timeout=PATIENCE_S)
            first = Ended(code=running.returncode, out=out, err=err, raw=b"")
            second = run(sandbox, output, ids_file(tmp_path, jobs), *on(made))

    assert first.code == 130, first.err
    assert sum(first.summary["outcomes"].values()) == jobs
    assert second.code == 0, second.err
    assert second.summary["outcomes"]["loaded"] == jobs


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["get", "mget", "--all"])
def test_twenty_thousand_jobs_are_the_same_as_on_one_machine(tmp_path: Path, strategy: str) -> None:
    jobs = 20_000
    asked = ["--all"] if strategy == "--all" else [ids_file(tmp_path, jobs), "--strategy", strategy]
    with Sandbox(SandboxSettings(jobs=jobs)) as sandbox:
        with cluster(tmp_path, env={"ELASTICSEARCH_API_KEY": sandbox.api_key}) as made:
            ended = run(sandbox, tmp_path / "cluster", *asked, *on(made))
        local = run(sandbox, tmp_path / "local", *asked)

    assert (ended.code, local.code) == (0, 0), ended.err
    assert ended.summary["outcomes"] == local.summary["outcomes"]
    assert ended.summary["outcomes"]["loaded"] == jobs
    assert differing(tmp_path / "cluster", tmp_path / "local") == []


FAULTS = Faults(too_many=0.01, unavailable=0.02, reset=0.01, cut=0.01, garbage=0.005, other_job=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("faults", [NO_FAULTS, FAULTS], ids=["sound", "faulty"])
def test_a_worker_that_is_killed_half_way_costs_no_job_and_doubles_none(tmp_path: Path, faults: Faults) -> None:
    jobs = 20_000
    asked = [ids_file(tmp_path, jobs), "--strategy", "get", "--concurrency", "32"]
    output = tmp_path / "cluster"
    with Sandbox(SandboxSettings(jobs=jobs, faults=faults)) as sandbox:
        with cluster(tmp_path, env={"ELASTICSEARCH_API_KEY": sandbox.api_key}) as made:

            def kill() -> None:
                assert batches(output, 10)
                made.workers[0].kill()

            killer = Thread(target=kill)
            killer.start()
            ended = run(sandbox, output, *asked, *on(made))
            killer.join()
            died = made.workers[0].wait()
        local = run(sandbox, tmp_path / "local", *asked)

    assert died == -signal.SIGKILL
    assert (ended.code, local.code) == (0, 0), ended.err
    assert ended.summary["outcomes"]["loaded"] == jobs
    assert differing(output, tmp_path / "local") == []
    assert not list((output / "_staging").glob("*"))


def batches(output: Path, number: int) -> bool:
    """Wait until so many batches of a run exist."""
    ends = time.monotonic() + PATIENCE_S
    while sum(path.name.isdigit() for path in output.glob("_staging/*/*")) < number:
        if time.monotonic() > ends:
            return False
        time.sleep(0.02)
    return True


GUIDE = (Path(__file__).parents[2] / "docs" / "engineer.md").read_text("utf-8")
BLOCKS = [
    block for block in re.findall(r"^```console\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL) if "dask worker" in block
]


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=["tcp", "tls"])
def test_the_commands_of_the_guide_run_as_they_stand_but_for_their_places(tmp_path: Path, block: str) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    places = {
        "dask.example.org": "127.0.0.1",
        "8786": str(port),
        "/srv/sync-jobs": "output",
        "/etc/dask": str(tmp_path),
    }
    for place, here in places.items():
        block = block.replace(place, here)
    scheduler, worker, run_it = block.splitlines()[-3:]
    script = "\n".join(
        [
            "trap 'kill -9 $(jobs -p)' EXIT",  # a worker that is asked to end waits for a scheduler that has ended
            *block.splitlines()[:-3],
            f"{scheduler} --host 127.0.0.1 &",
            f"{worker} --host 127.0.0.1 --no-nanny &",
            run_it,
        ]
    )
    with Sandbox(SandboxSettings(jobs=JOBS)) as sandbox:
        env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ELASTICSEARCH_URL": sandbox.url,
            "ELASTICSEARCH_API_KEY": sandbox.api_key,
            "HOME": str(tmp_path),
        }
        command = ["bash", "-euo", "pipefail", "-c", script]
        ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=300)

    assert ended.returncode == 0, ended.stderr
    assert package.open_dataset(tmp_path / "output").read("sync_jobs", as_="arrow").num_rows == JOBS
    assert sandbox.api_key not in ended.stderr + ended.stdout
