"""The Dockerfile: its lines name what is there, and its installation works outside an image."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "Dockerfile").read_text(encoding="utf-8")
JOINED = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE))
LINES = [line.split(" ", 1) for line in JOINED.splitlines() if line]


def of(instruction: str) -> list[str]:
    return [rest for name, rest in LINES if name == instruction]


def copied() -> list[str]:
    return [source for line in of("COPY") if "--from" not in line for source in line.split()[:-1]]


def test_the_image_is_slim_and_its_account_is_not_root() -> None:
    assert {line.split()[0] for line in of("FROM")} == {"python:3.12-slim"}
    [user] = of("USER")
    number = user.split(":")[0]
    assert number != "0"
    assert f"--uid {number} " in JOINED
    assert LINES.index(["USER", user]) < LINES.index(["ENTRYPOINT", of("ENTRYPOINT")[0]])


def test_it_starts_the_program_itself_so_that_signals_reach_it() -> None:
    assert json.loads(of("ENTRYPOINT")[0]) == ["etl"]
    assert json.loads(of("CMD")[0]) == ["--help"]
    assert "ETL_OUTPUT=/data" in of("ENV")[0]
    assert of("VOLUME") == ["/data"]


def test_what_is_copied_is_there_is_all_that_a_build_needs_and_reaches_the_builder() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ignored = (ROOT / "docs" / "Dockerfile.dockerignore").read_text().split("\n")

    assert all((ROOT / source).exists() for source in copied())
    assert {"pyproject.toml", "etl", project["readme"], *project["license-files"]} == set(copied())
    assert {line[1:] for line in ignored if line.startswith("!")} == set(copied())
    assert "*" in ignored


def test_the_guide_builds_and_runs_it() -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()

    assert re.search(r"^#   (docker build .*)$", TEXT, re.MULTILINE)[1] in guide  # type: ignore[index]  # else it fails
    assert re.search(r"^docker run (?:.*\\\n)*.* sync-jobs-etl run --all$", guide, re.MULTILINE)


@pytest.mark.slow
def test_its_installation_gives_a_program_that_works(tmp_path: Path) -> None:
    source, target = tmp_path / "src", tmp_path / "opt" / "etl"
    source.mkdir()
    for name in copied():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    install = next(line for line in of("RUN") if "pip install" in line)
    command = install.replace("/opt/etl", str(target)).replace("python -m", f"{sys.executable} -m")
    subprocess.run(["/bin/sh", "-euc", command], cwd=source, check=True, capture_output=True)
    shutil.rmtree(source)

    etl = target / "bin" / "etl"
    metrics = ["--metrics-file", str(tmp_path / "etl.prom"), "--output", str(tmp_path / "replayed")]
    ended = subprocess.run([etl, "demo", "--keep-raw", "-q"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    [raw] = (tmp_path / "output" / "runs").glob("*/raw.ndjson.zst")
    ended = subprocess.run([etl, "replay", raw, *metrics], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "etl_dataset_jobs" in (tmp_path / "etl.prom").read_text()
