"""Months of a new snapshot, merged in groups that follow each other: each by itself, by any program, as streams."""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow.compute as pc

from etl.load.layout import TMP
from etl.load.merge import bounds_of, limit_sources, windows
from etl.load.pool import give_back_memory
from etl.load.stretch import JOBS
from etl.load.table_files import TableFiles
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from etl.load.manifest import FileEntry
    from etl.load.merge import Source
    from etl.load.plan import Patches
    from etl.load.storage import Storage
    from etl.load.stretch import Stretch


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthGroup:
    """Months to be merged; picklable.

    Attributes:
        number: of the group, from 0, in the order of the dataset.
        sources: of their rows.
    """

    number: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedGroup:
    """What a group became.

    Attributes:
        number: of the group.
        folder: that the paths of the files are relative to.
        files: of each table, in the order of their rows.
    """

    number: int
    folder: Path
    files: Mapping[str, Sequence[FileEntry]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Merger:
    """What the groups of a publish share; picklable.

    Attributes:
        storage: of the dataset.
        run_id: of the run that publishes.
        patches: rows that get `not_found_at`.
        file_rows: most rows of a file.
        most_sources: that are read side by side.
    """

    storage: Storage
    run_id: str
    patches: Patches
    file_rows: int
    most_sources: int

    def merge(self, group: MonthGroup) -> MergedGroup:
        """Merge a group into files of a new folder below the run's scratch folder.

        Whoever is taken for dead may be at work on the same group, so each time there is another one.

        Raises:
            OutputError: a file cannot be read or written.
        """
        give_back_memory()
        scratch = self.storage.layout.scratch(self.run_id)
        folder = scratch / f"group-{group.number}-{secrets.token_hex(4)}{TMP}"
        for table in TABLES:
            self.storage.make_folder(folder / table.name)
        return self.merge_into(folder, group, folder / f"scratch{TMP}")

    def merge_into(self, folder: Path, group: MonthGroup, scratch: Path) -> MergedGroup:
        """Merge a group into files of a folder that has one for each table.

        Args:
            folder: for the files.
            group: see there.
            scratch: a folder for what is needed meanwhile.

        Raises:
            OutputError: a file cannot be read or written.
        """
        sources = limit_sources(self.storage, scratch, group.sources, self.most_sources)
        with ExitStack() as stack:
            files = {
                table.name: stack.enter_context(
                    TableFiles(self.storage, folder, table.name, run_id=self.run_id, file_rows=self.file_rows)
                )
                for table in TABLES
            }
            for window in windows(sources, bounds_of(sources)):
                self._write(window, files)
                del window  # its memory is needed for the next one
            return MergedGroup(
                number=group.number, folder=folder, files={name: file.close() for name, file in files.items()}
            )

    def _write(self, window: Stretch, files: Mapping[str, TableFiles]) -> None:
        """Write a window, month by month."""
        runs = pc.run_end_encode(window.parts[JOBS].rows.column("created_month"))
        ends = runs.run_ends.to_pylist()
        for month, first, last in zip(runs.values.to_pylist(), [0, *ends[:-1]], ends, strict=True):
            for name, rows in window.cut(first, last).tables.items():
                patched = name == JOBS and len(self.patches)
                files[name].write(month, _patched(rows, self.patches) if patched else rows)


class Spread(Protocol):
    """Merges groups in several places at once."""

    def groups(self, jobs: int) -> int:
        """Return how many groups so many jobs are worth; 1 where they are merged in this program."""

    def merge(self, merger: Merger, groups: Iterable[MonthGroup], count: int) -> Iterable[MergedGroup]:
        """Merge groups, each with `Merger.merge`, and yield what they became, in any order.

        Args:
            merger: does it.
            groups: taken one by one, as there is room for them.
            count: how many they are.
        """


class Here:
    """Merges everything in this program."""

    def groups(self, jobs: int) -> int:  # noqa: ARG002 - as `Spread` has it
        """Return 1."""
        return 1

    def merge(self, merger: Merger, groups: Iterable[MonthGroup], count: int) -> Iterable[MergedGroup]:  # noqa: ARG002 - as `Spread` has it
        """Merge one group after the other."""
        return map(merger.merge, groups)


def _patched(rows: pa.Table, patches: Patches) -> pa.Table:
    """Set `not_found_at` of the jobs that the plan names; it has looked at what stands there."""
    times = patches.times.take(pc.index_in(rows["job_id"], value_set=patches.job_ids).combine_chunks())
    position = rows.column_names.index("not_found_at")
    return rows.set_column(position, rows.schema.field(position), pc.coalesce(times, rows["not_found_at"]))
