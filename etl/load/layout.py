"""Where things stand below the output folder, and how runs and their parts are named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from datetime import datetime
    from pathlib import Path

MANIFEST = "_manifest.json"
BATCH_MANIFEST = "_batch.json"
TMP = ".tmp"

_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_HIDDEN_TMP = re.compile(rf"\.({_RUN_ID.pattern})\.tmp")
_BATCH_NUMBER = re.compile(r"0|[1-9]\d*")


def new_run_id(now: datetime, random: random.Random) -> str:
    """Return a run id that sorts by time and that no other run has.

    Args:
        now: the start of the run, aware, in UTC.
        random: gives 24 bits; `random.SystemRandom()` outside tests.

    >>> from datetime import UTC, datetime
    >>> from random import Random
    >>> new_run_id(datetime(2026, 11, 24, 3, 50, tzinfo=UTC), Random(1))
    '20261124T035000Z-2265b1'
    """
    return f"{now:%Y%m%dT%H%M%SZ}-{random.getrandbits(24):06x}"


def is_run_id(name: str) -> bool:
    """Tell whether a file name is a run id; everything else in a folder of runs belongs to somebody else."""
    return _RUN_ID.fullmatch(name) is not None


def is_unfinished(name: str) -> bool:
    """Tell whether a file name is that of a snapshot or run folder that was still being built."""
    return _HIDDEN_TMP.fullmatch(name) is not None


def is_batch_number(name: str) -> bool:
    """Tell whether a file name is that of a renamed batch."""
    return _BATCH_NUMBER.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of a dataset.

    Attributes:
        root: the output folder.
    """

    root: Path

    @property
    def snapshots(self) -> Path:
        """The folder of published states."""
        return self.root / "snapshots"

    @property
    def runs(self) -> Path:
        """The folder of run records."""
        return self.root / "runs"

    @property
    def staging(self) -> Path:
        """The folder of what is fetched and not yet published."""
        return self.root / "_staging"

    @property
    def lock(self) -> Path:
        """The file that the operating system locks."""
        return self.root / "_lock"

    @property
    def link(self) -> Path:
        """The symbolic link that readers use."""
        return self.root / "latest"

    @property
    def pointer(self) -> Path:
        """What stands for the link where there are none."""
        return self.root / "_latest.json"

    def snapshot(self, run_id: str) -> Path:
        """The folder of one published state."""
        return self.snapshots / run_id

    def run(self, run_id: str) -> Path:
        """The folder of one run's record."""
        return self.runs / run_id

    def staged_run(self, run_id: str) -> Path:
        """The folder of one run's batches."""
        return self.staging / run_id

    def batch(self, run_id: str, number: int) -> Path:
        """The folder of one batch, once it exists."""
        return self.staging / run_id / str(number)

    def raw(self, run_id: str) -> Path:
        """The file of documents as received, redacted, while the run lasts; attached to its record in the end."""
        return self.staging / run_id / f"raw{TMP}"

    def scratch(self, run_id: str) -> Path:
        """A folder for files that a merge needs for a while."""
        return self.staging / run_id / f"merge{TMP}"


def unfinished(final: Path) -> Path:
    """Return the hidden name that something has until it is whole: a snapshot, a run folder, a file to be replaced."""
    return final.with_name(f".{final.name}{TMP}")


def removed(final: Path) -> Path:
    """Return the name under which a folder is taken apart, so that none is ever seen half removed."""
    return unfinished(final) if is_run_id(final.name) else final.with_name(final.name + TMP)
