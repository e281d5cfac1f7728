"""The guides hold: their blocks run as they stand there, in their order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import etl

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = {
    "index.md": "they are the demo's",
    "operator.md": "no problem",
    "analyst.md": "export of ",
    "engineer.md": "no problem",
}
"""Each guide, and something that its commands tell."""


def blocks(guide: str) -> list[tuple[str, str]]:
    """Return a guide's blocks, its Python as one program where the last of it stands; what is `console` is not run."""
    text = (DOCS / guide).read_text("utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert {language for language, _ in found} <= {"bash", "python", "console"}
    python = [number for number, (language, _) in enumerate(found) if language == "python"]
    program = "\n".join(found[number][1] for number in python)
    return [
        (language, program if number in python else block)
        for number, (language, block) in enumerate(found)
        if language == "bash" or number in python[-1:]
    ]


@pytest.mark.parametrize("guide", GUIDES)
def test_the_blocks_of_a_guide_run_in_the_order_in_which_they_stand(guide: str, tmp_path: Path) -> None:
    if guide == "analyst.md":
        assert etl("demo", "--jobs", "300", "--quiet", "--output", str(tmp_path / "output")).code == 0
    with Sandbox(SandboxSettings(jobs=300)) as sandbox:
        env = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ELASTICSEARCH_URL": sandbox.url,
            "ELASTICSEARCH_API_KEY": sandbox.api_key,
            "HOME": str(tmp_path),
        }
        said = ""
        for language, block in blocks(guide):
            command = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-Wd", "-c"]}[language]
            ended = subprocess.run(
                [*command, block], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
            )
            assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
            assert "Warning" not in ended.stderr, f"{block}\n{ended.stderr}"
            said += ended.stdout
    assert GUIDES[guide] in said
