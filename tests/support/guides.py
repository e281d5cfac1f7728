"""Takes the blocks out of a guide, and runs them as a person would who follows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from etl.sandbox.server import Sandbox

BINARIES = Path(sys.executable).parent

Block: TypeAlias = "tuple[str, str]"
"""The language that is written beside a block, and its text."""

_PROGRAMS = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-Wd", "-c"]}


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a text in Markdown, in their order."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_blocks(blocks: Iterable[Block], folder: Path, sandbox: Sandbox, more: Mapping[str, str] | None = None) -> str:
    """Run blocks one after the other, in a folder and beside a cluster; each must end well and warn of nothing.

    Args:
        blocks: see there.
        folder: in which they run.
        sandbox: the cluster.
        more: of the environment.

    Returns:
        What they printed.
    """
    env = {
        "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}",
        "ELASTICSEARCH_URL": sandbox.url,
        "ELASTICSEARCH_API_KEY": sandbox.api_key,
        "HOME": str(folder),
        **(more or {}),
    }
    told = ""
    for language, block in blocks:
        command = [*_PROGRAMS[language], block]
        ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{block}\n{ended.stdout}\n{ended.stderr}"
        assert "Warning" not in ended.stderr, f"{block}\n{ended.stderr}"
        told += ended.stdout
    return told
