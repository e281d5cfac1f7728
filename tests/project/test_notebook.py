"""The notebook: ten questions, each answered by a plot of one line, and what it shows is what it would show now."""

from __future__ import annotations

import ast
import re
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from notebooks import NOTEBOOK, executed, outputs, picture, read
from PIL.Image import Resampling

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

COMMITTED = read()
ALIKE = 4.0
"""Of 256 shades. Releases that are two years apart come to 2.4, two questions to 5.2 at least."""
SECTIONS = re.split(r"^## ", "\n".join(
    cell.source if cell.cell_type == "markdown" else f"```python\n{cell.source}\n```" for cell in COMMITTED.cells
), flags=re.MULTILINE)[1:]  # fmt: skip


def test_ten_questions_are_answered_with_a_plot_of_one_line_each() -> None:
    assert [section.partition(".")[0] for section in SECTIONS] == [str(number) for number in range(1, 11)]
    for section in SECTIONS:
        question = section.partition("\n")[0]
        assert question.endswith("?")
        [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        *prepared, drawn = ast.parse(code).body
        assert len(prepared) <= 3, question
        assert ".plot" not in "".join(map(ast.unparse, prepared)), question
        assert ".plot" in ast.unparse(drawn), question
        assert drawn.lineno == drawn.end_lineno, question


def test_it_is_small_and_says_nothing_of_the_machine_that_ran_it() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")

    assert len(text) < 150_000
    assert not re.search(r"/tmp|/home|/root|/work|20\d\d\d\d\d\dT|\"version\"", text)  # noqa: S108 - it is looked for
    assert all("execution" not in cell.metadata for cell in COMMITTED.cells)
    assert len([output for output in outputs(COMMITTED) if picture(output)]) == len(SECTIONS)


@pytest.mark.slow
def test_it_runs_in_an_empty_folder_and_shows_what_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    (tmp_path / "empty").mkdir()

    shown = list(outputs(executed(read(), tmp_path / "empty")))

    committed = list(outputs(COMMITTED))
    assert [output.output_type for output in shown] == [output.output_type for output in committed]
    for now, then in zip(shown, committed, strict=True):
        assert now.output_type in {"display_data", "execute_result"}, now  # no warning, no print
        drawn, kept = picture(now), picture(then)
        if drawn is None or kept is None:
            assert now.data == then.data
        else:
            assert difference(drawn, kept) < ALIKE, "run python tests/support/notebooks.py"
    assert list((tmp_path / "empty").iterdir()) == []


def test_the_pictures_of_any_two_questions_would_be_told_apart() -> None:
    pictures = [drawn for output in outputs(COMMITTED) if (drawn := picture(output))]

    assert min(difference(*two) for two in combinations(pictures, 2)) > ALIKE


def difference(first: Image.Image, second: Image.Image) -> float:
    """Return how far the brightness of two pictures is apart, from far: releases draw letters differently."""
    one, other = (
        np.asarray(picture.convert("L").resize((16, 8), Resampling.BOX), float) for picture in (first, second)
    )
    return float(np.abs(one - other).mean())
