"""Workers of a Dask cluster write to a bucket by themselves, each by its own environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clusters import cluster
from commands import etl
from stores import SECRET, keys_below

from etl.pipeline import spread
from etl.sandbox.demo import demo_jobs_text
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from pathlib import Path

    from stores import S3Server

pytestmark = pytest.mark.slow

JOBS = 60


def run(sandbox: Sandbox, folder: Path, output: object, address: str) -> tuple[int, str]:
    (folder / "jobs.txt").write_text(demo_jobs_text(JOBS))
    env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": sandbox.api_key}
    on = ["--engine", "dask", "--dask-scheduler", address]
    ended = etl("run", str(folder / "jobs.txt"), "--batch-size", "7", "--output", str(output), *on, env=env)
    return ended.code, ended.err


def test_a_cluster_stages_and_merges_in_the_bucket(
    s3: S3Server, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del s3
    monkeypatch.setattr(spread, "_JOBS_A_GROUP", JOBS // 3)
    with Sandbox(SandboxSettings(jobs=JOBS)) as sandbox:
        env = {"ELASTICSEARCH_API_KEY": sandbox.api_key}
        with cluster(tmp_path, threads=2, env=env) as made:
            code, err = run(sandbox, tmp_path, root, made.address)
            assert code == 0, err
            assert SECRET not in made.logs()
    assert etl("verify", "--output", str(root)).code == 0
    assert not [name for name in keys_below(root) if name.startswith("_staging/")]


def test_a_worker_that_cannot_reach_the_store_is_told_what_it_lacks(s3: S3Server, root: Path, tmp_path: Path) -> None:
    del s3
    with Sandbox(SandboxSettings(jobs=JOBS)) as sandbox:
        env = {"ELASTICSEARCH_API_KEY": sandbox.api_key, "AWS_PROFILE": "no-such"}
        with cluster(tmp_path, threads=1, env=env) as made:
            code, err = run(sandbox, tmp_path, root, made.address)
    assert (code, "no credentials for the store" in err) == (74, True), err


def test_memory_is_no_place_for_a_cluster(s3: S3Server, tmp_path: Path) -> None:
    del s3
    with Sandbox(SandboxSettings(jobs=JOBS)) as sandbox:
        code, err = run(sandbox, tmp_path, "memory://cluster", "tcp://127.0.0.1:1")
    assert (code, "only this program sees it" in err) == (2, True), err
