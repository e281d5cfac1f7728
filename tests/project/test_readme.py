"""Every code block of the README runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guides import blocks_of, run_blocks

from etl.sandbox.server import Sandbox

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks_of(README)
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
    with Sandbox() as sandbox:
        told = run_blocks(
            [(language, block) for language, block in BLOCKS if block not in INSTALLING], tmp_path, sandbox
        )
    assert "ended with exit code 0" in told
    assert "\n1000\n" in told
    assert "no problem" in told
    assert "sharepoint_online" in told


@pytest.mark.parametrize("path", sorted(re.findall(r"\]\((?!http)([^)#]+)\)", README)))
def test_every_link_of_the_readme_leads_somewhere(path: str) -> None:
    assert (ROOT / path).is_file()
