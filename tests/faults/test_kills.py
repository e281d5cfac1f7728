"""`kill -9` at any moment: readers see a whole state, and the next run ends as if nothing had happened.

Ten seeded points here; `python benchmarks/kills.py` tries 200.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kills import Killing, documents_before

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POINTS = 10


@pytest.fixture(name="killing", scope="module")
def _killing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    documents = documents_before()
    with Sandbox(SandboxSettings(documents=documents)) as sandbox:
        yield Killing.prepare(tmp_path_factory.mktemp("kills"), sandbox, documents)


@pytest.mark.parametrize("number", range(POINTS))
def test_a_killed_run_leaves_a_whole_state_and_the_next_one_ends_right(
    killing: Killing, tmp_path: Path, number: int
) -> None:
    point = killing.points(POINTS, seed=1)[number]

    assert killing.survive(point, tmp_path / "killed") in {"before", "after"}


def test_the_points_lie_before_and_after_the_swap(killing: Killing) -> None:
    assert killing.before != killing.after
    assert killing.steps > 10 * POINTS
