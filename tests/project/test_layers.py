"""The layers are a contract: a violation breaks the check."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("transform/timestamps.py", "", False),
        ("transform/timestamps.py", "import etl.load.storage", True),
        ("schema/tables.py", "import etl.transform.tables", True),
        ("load/merge.py", "import requests", True),
        ("stray.py", "", True),
    ],
)
def test_an_import_against_the_direction_breaks_the_contract(
    tmp_path: Path, module: str, line: str, *, broken: bool
) -> None:
    shutil.copytree(ROOT / "etl", tmp_path / "etl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "etl" / module).open("a") as source:
        source.write(f"\n{line}\n")

    ended = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode != 0) is broken, ended.stdout
