"""The guides hold: their blocks run as they stand there, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import etl
from guides import Block, blocks_of, run_blocks

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


def program_of(guide: str) -> list[Block]:
    """Return a guide's blocks, its Python as one program where the last of it stands; what is `console` is not run."""
    found = blocks_of((DOCS / guide).read_text("utf-8"))
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
        said = run_blocks(program_of(guide), tmp_path, sandbox)
    assert GUIDES[guide] in said
