"""The guide to datasets in a bucket holds: its blocks run as they stand there, in their order."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from guides import blocks_of, run_blocks

from etl.sandbox.demo import demo_jobs_text
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from stores import S3Server

GUIDE = Path(__file__).parents[2] / "docs" / "object-stores.md"


@pytest.mark.slow
def test_the_blocks_of_the_guide_run_in_their_order(s3: S3Server, tmp_path: Path) -> None:
    blocks = blocks_of(GUIDE.read_text("utf-8"))
    shell = [block for block in blocks if block[0] == "bash"]
    python = "\n".join(text for language, text in blocks if language == "python")
    with Sandbox(SandboxSettings(jobs=300)) as sandbox:
        (tmp_path / "jobs.txt").write_text(demo_jobs_text(50))
        said = run_blocks([*shell, ("python", python)], tmp_path, sandbox, s3.env)
    assert "no problem" in said
