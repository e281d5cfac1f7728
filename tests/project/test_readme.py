"""Every code block of the README runs as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from etl.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
# These two install the project, which needs a package registry: `.ci/run` takes them from the README and runs them.
INSTALLING = [block for _, block in BLOCKS if "pip install" in block]


def test_the_two_installing_commands_are_the_ones_that_ci_runs() -> None:
    headings = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL))

    ci = (ROOT / ".ci" / "run").read_text()
    assert len(INSTALLING) == 2
    for heading, block in zip(("Run it", "Test it"), INSTALLING, strict=True):
        assert block in headings[heading]
        assert f"command_under '{heading}'" in ci


def test_the_other_blocks_run_in_the_order_in_which_they_stand(tmp_path: Path) -> None:
    (tmp_path / "jobs.txt").write_bytes((ROOT / "jobs.txt").read_bytes())
    binaries = Path(sys.executable).parent
    with Sandbox() as sandbox:
        env = {
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "ELASTICSEARCH_URL": sandbox.url,
            "ELASTICSEARCH_API_KEY": sandbox.api_key,
            "HOME": str(tmp_path),
        }
        told = ""
        for language, block in BLOCKS:
            if block in INSTALLING:
                continue
            command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}[language]
            ended = subprocess.run(
                [*command, block], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
            told += ended.stdout
    assert "ended with exit code 0" in told
    assert "\n1000\n" in told
    assert "no problem" in told
    assert "sharepoint_online" in told


@pytest.mark.parametrize("path", sorted(re.findall(r"\]\((?!http)([^)#]+)\)", README)))
def test_every_link_of_the_readme_leads_somewhere(path: str) -> None:
    assert (ROOT / path).is_file()
