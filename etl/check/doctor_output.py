"""Checks of the output folder: can it be written, is it free, is what is published whole, is there space."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from etl.check.diagnosis import Check, Told, chain, ok, warning, wrong
from etl.check.findings import Findings, one_line
from etl.check.snapshot import Depth, check_snapshot
from etl.check.verify import MOST_ROWS
from etl.errors import EtlError
from etl.load.lock import holder_of
from etl.load.place import storage_of
from etl.load.reader import Snapshot, open_snapshot
from etl.load.recover import check_known, replaces_sandbox
from etl.load.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = ("output", "dataset", "space", "lock")

_SLIGHT: Final = timedelta(minutes=1)
_MIB: Final = 1 << 20
_LEAST: Final = 64 * _MIB
_ROOMY: Final = 512 * _MIB


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Whom a run would fetch from: the name, and why that is only the host; None where it is the UUID."""

    name: str
    hidden: EtlError | None = None


class OutputDoctor:
    """Checks an output folder.

    Args:
        output: the folder, absolute.
        source: of a run's rows; None where no cluster was reached.
    """

    def __init__(self, output: Path, source: Source | None) -> None:
        self._storage = storage_of(output)
        self._layout = self._storage.layout
        self._source = source
        self._latest: Snapshot | None = None

    def checks(self) -> Iterator[Check]:
        """Make the checks, each once."""
        steps = (self._output, self._dataset, self._space, self._lock)
        yield from chain(zip(NAMES, steps, strict=True), needed={"output"}, mask=one_line)

    def _output(self) -> Told:
        root, place = self._layout.root, self._place()
        try:
            self._try_writing(place)
            for part in (self._layout.snapshots, self._layout.runs, self._layout.staging):
                if part.exists():
                    self._try_access(part)
        except EtlError as error:
            return wrong(str(error))
        if place != root:
            return ok(f"{root} is not there yet; the first run makes it in {place}, which can be written")
        return ok(f"{root} can be written")

    def _place(self) -> Path:
        """Return the output folder, or where it would be made."""
        return next(path for path in (self._layout.root, *self._layout.root.parents) if path.exists())

    def _try_writing(self, folder: Path) -> None:
        """Write a private file, and remove it."""
        with self._storage.step(Step.CREATE, folder):
            descriptor, name = tempfile.mkstemp(prefix=".etl-doctor-", dir=folder)
            try:
                os.write(descriptor, b"etl doctor\n")
            finally:
                os.close(descriptor)
                Path(name).unlink()

    def _try_access(self, folder: Path) -> None:
        """See whether a folder may be written, without writing: what a run does not know in there, it may remove."""
        with self._storage.step(Step.CREATE, folder):
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def _lock(self) -> Told:
        try:
            holder = holder_of(self._layout.lock)
        except EtlError as error:
            return wrong(str(error))
        return ok("no run holds it") if holder is None else wrong(holder)

    def _dataset(self) -> Told:
        layout = self._layout
        findings = Findings(layout.root)
        try:
            latest = self._latest = open_snapshot(layout.root)
            if latest is None:
                return ok("nothing is published yet")
            files = check_snapshot(
                layout, latest.run_id, findings, is_latest=True, depth=Depth.SIZES, most_rows=MOST_ROWS
            ).files
            source = self._source
            if source is not None and source.hidden is not None:
                check_known(layout.root, latest, source.name, source.hidden)
            replaces = source is not None and replaces_sandbox(layout.root, latest, source.name)
        except EtlError as error:
            return wrong(str(error))
        problems = [finding for finding in findings.all() if not finding.is_note]
        if problems:
            return wrong(f"{problems[0].path}: {problems[0].detail}; `etl verify` tells all of it")
        ahead = latest.manifest.created_at - datetime.now(UTC)
        if ahead > _SLIGHT:
            at = f"{latest.manifest.created_at:%Y-%m-%d %H:%M:%S} UTC"
            return wrong(f"published at {at}, which is in the future: set the clock of this machine by NTP")
        said = f"{latest.rows('sync_jobs'):,} jobs in {files:,} files of the right size; `etl verify` reads them"
        return warning(f"{said}; they are the demo's, and the first real run replaces them") if replaces else ok(said)

    def _space(self) -> Told:
        try:
            free = shutil.disk_usage(self._place()).free
        except OSError as error:
            return warning(f"{self._layout.root}: the space left cannot be told: {error.strerror}")
        size = self._latest.bytes if self._latest else 0
        said = f"{free // _MIB:,} MiB are free, the published state takes {-(-size // _MIB):,} MiB"
        if free < max(_LEAST, size):
            return wrong(f"{said}, and a run may need as much again: make room, or choose another --output")
        if free < max(_ROOMY, 3 * size):
            return warning(f"{said}: make room, or keep fewer states (--keep-snapshots, --keep-hours)")
        return ok(said)
