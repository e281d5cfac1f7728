"""Is the dataset in a folder whole? Reads everything, changes nothing, takes no lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl.check.findings import Finding, Findings
from etl.check.place import look_around, published
from etl.check.records import check_records
from etl.check.snapshot import Checked, Depth, check_snapshot
from etl.errors import OutputError
from etl.load.build import Limits
from etl.load.folders import run_ids
from etl.load.layout import Layout
from etl.load.place import is_there, located
from etl.load.pointer import read_pointer

if TYPE_CHECKING:
    from pathlib import Path

MOST_ROWS = Limits().file_rows
"""That a file may have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a check found.

    Attributes:
        folder: of the dataset, absolute.
        snapshot: the run id of what readers see; None where `latest` leads nowhere.
        problems: what is wrong.
        notes: what is no damage, and good to know.
        tables: of the snapshot that readers see.
        files: that were read, in all snapshots that were looked at in full.
        rows: in them.
        snapshots: that were looked at in full.
        by_size: older snapshots of which only manifests and sizes were looked at.
        runs: records of runs.
    """

    folder: Path
    snapshot: str | None
    problems: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    tables: int
    files: int
    rows: int
    snapshots: int
    by_size: int
    runs: int

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "folder": str(self.folder),
            "snapshot": self.snapshot,
            "findings": [_as_json(finding) for finding in self.problems],
            "notes": [_as_json(finding) for finding in self.notes],
            "counts": {
                "problems": len(self.problems),
                "tables": self.tables,
                "files": self.files,
                "rows": self.rows,
                "snapshots": self.snapshots,
                "snapshots_by_size": self.by_size,
                "runs": self.runs,
            },
        }


def _as_json(finding: Finding) -> dict[str, str]:
    return {"kind": finding.kind.value, "path": finding.path, "detail": finding.detail}


def verify(path: str | Path, *, everything: bool = False, most_rows: int = MOST_ROWS) -> Report:
    """Check a dataset: files against manifests, keys, references between tables, counts.

    What a run that works meanwhile removes is not reported: where that is the published snapshot, the check begins
    again with the new one.

    Args:
        path: the folder that `etl run --output` wrote to.
        everything: whether older snapshots are looked at in full too, not just their manifests and sizes.
        most_rows: that a file may have.

    Raises:
        OutputError: no dataset is published there, or a folder cannot be read.
    """
    layout = Layout(located(path).absolute())
    while True:
        findings, named = Findings(layout.root), _named(layout)
        latest = published(layout, findings)
        checked = _check_snapshots(layout, latest, findings, everything=everything, most_rows=most_rows)
        if is_there(layout.snapshot(latest)) if latest is not None else _named(layout) == named:
            break
    runs = check_records(layout, latest, findings)
    look_around(layout, findings)
    found = list(findings.all())
    full = [one for run_id, one in checked.items() if everything or run_id == latest]
    return Report(
        folder=layout.root,
        snapshot=latest,
        problems=tuple(finding for finding in found if not finding.is_note),
        notes=tuple(finding for finding in found if finding.is_note),
        tables=checked[latest].tables if latest is not None and latest in checked else 0,
        files=sum(one.files for one in full),
        rows=sum(one.rows for one in full),
        snapshots=len(full),
        by_size=len(checked) - len(full),
        runs=runs,
    )


def _named(layout: Layout) -> str | None:
    """Return what `latest` names, whatever that is; None where it names nothing."""
    try:
        return read_pointer(layout.root)
    except OutputError:
        return None


def _check_snapshots(
    layout: Layout, latest: str | None, findings: Findings, *, everything: bool, most_rows: int
) -> dict[str, Checked]:
    """Check what is kept, the published snapshot first; what a run prunes meanwhile does not count."""
    checked: dict[str, Checked] = {}
    for run_id in sorted(run_ids(layout.snapshots), key=lambda name: (name == latest, name), reverse=True):
        own = Findings(layout.root)
        is_latest = run_id == latest
        depth = Depth.FULL if is_latest or everything else Depth.SIZES
        one = check_snapshot(layout, run_id, own, is_latest=is_latest, depth=depth, most_rows=most_rows)
        if is_there(layout.snapshot(run_id)):
            findings.extend(own)
            checked[run_id] = one
    return checked
