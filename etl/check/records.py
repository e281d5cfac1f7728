"""The records of runs: readable, and their numbers add up."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from etl.check.findings import Findings, Kind, one_line
from etl.check.place import is_private, private_listing, tell_private, without_prefix
from etl.errors import OutputError
from etl.load.layout import MANIFEST, Layout, is_run_id
from etl.load.manifest import RunManifest, RunState
from etl.load.place import for_arrow, is_there
from etl.load.runs import FAILED, OUTCOMES, OUTCOMES_SCHEMA, REJECTED, REMEDY, read_run

if TYPE_CHECKING:
    from pathlib import Path


def check_records(layout: Layout, latest: str | None, findings: Findings) -> int:
    """Check all records of runs.

    Args:
        layout: of the dataset.
        latest: the run that published what readers see, if that is known.
        findings: where they go.

    Returns:
        How many there are.

    Raises:
        OutputError: the folder of the records cannot be read.
    """
    names = [path.name for path in private_listing(layout.runs, findings) if is_run_id(path.name)]
    for name in names:
        own = Findings(layout.root)
        _check_record(layout, name, latest, own)
        if is_there(layout.run(name)):  # else a run that works now has pruned it
            findings.extend(own)
    return len(names)


def _check_record(layout: Layout, name: str, latest: str | None, findings: Findings) -> None:
    folder = layout.run(name)
    path = folder / MANIFEST
    try:
        run = read_run(layout, name)
    except OutputError as error:
        if is_private(error):
            tell_private(folder, findings)
        else:
            findings.add(Kind.RUN, path, without_prefix(error, path))
        return
    if run.run_id != name:
        findings.add(Kind.RUN, path, f"is the record of run {run.run_id}, not of this one; {REMEDY}")
    total, requested = sum(run.outcomes.values()), run.inputs.get("requested", None)
    if requested is not None and requested != total:
        findings.add(Kind.RUN, path, f"{requested} ids were requested, and {total} have an outcome; {REMEDY}")
    _check_state(path, run, latest, findings)
    _check_outcomes(folder / OUTCOMES, run, findings)
    for file in (folder / FAILED, folder / REJECTED):
        if not file.is_file():
            findings.add(Kind.RUN, file, f"is not there, though every run leaves it; {REMEDY}")


def _check_state(path: Path, run: RunManifest, latest: str | None, findings: Findings) -> None:
    if run.state is RunState.PUBLISHING:
        findings.add(Kind.LEFTOVER, path, "in state publishing, by a run that died or still works; the next settles it")
    elif run.run_id == latest and run.state is not RunState.PUBLISHED:
        findings.add(Kind.RUN, path, f"in state {run.state.value}, though `latest` names what it published; {REMEDY}")


def _check_outcomes(path: Path, run: RunManifest, findings: Findings) -> None:
    counts: Counter[str | None] = Counter()
    try:
        with pq.ParquetFile(for_arrow(path), pre_buffer=False) as file:
            found = file.schema_arrow
            if not found.equals(OUTCOMES_SCHEMA):
                findings.add(Kind.RUN, path, f"has not the columns of {OUTCOMES}; {REMEDY}")
                return
            for batch in file.iter_batches(columns=["outcome"]):
                counts.update({pair["values"]: pair["counts"] for pair in pc.value_counts(batch.column(0)).to_pylist()})
    except (OSError, pa.ArrowException) as error:
        findings.add(Kind.RUN, path, f"cannot be read: {one_line(error)}; {REMEDY}")
        return
    for outcome in sorted({*counts, *run.outcomes}, key=str):
        rows, told = counts[outcome], run.outcomes.get(str(outcome), 0)
        if rows != told:
            findings.add(Kind.RUN, path, f"has {rows:,} ids {outcome}, where the manifest says {told:,}; {REMEDY}")
