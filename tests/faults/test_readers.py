"""Readers in a loop while runs publish 50 times: `open_dataset` never errs, and no read is mixed.

`python benchmarks/readers.py` reads 10,000 times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from publishing import publish_under_readers

if TYPE_CHECKING:
    from pathlib import Path


def test_readers_see_one_state_while_runs_publish(tmp_path: Path) -> None:
    publishes, seen = publish_under_readers(tmp_path, readers=1, goes_on=lambda publishes: publishes < 50)

    assert publishes == 50
    assert seen["open_dataset"] > 0
    assert seen["plain"] > 0
    assert (seen["open_dataset mixed"], seen["plain mixed"]) == (0, 0)
    assert (seen["resolved mixed"], seen["resolved short"], seen["resolved repeated"]) == (0, 0, 0)
