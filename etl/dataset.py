"""Reading for analysts: a dataset pinned to one snapshot, its tables as pandas DataFrames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from etl.errors import OutputError
from etl.load.reader import Snapshot, open_snapshot
from etl.schema.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pandas as pd


class Dataset:
    """A published dataset as it was when it was opened: runs that publish later do not change it.

    `ds["sync_jobs"]` is a DataFrame of the same types as `pandas.read_parquet("output/latest/sync_jobs")`: string,
    Int64, boolean and datetime64[us, UTC], with missing values as `pandas.NA` and `NaT`.
    """

    def __init__(self, root: Path, snapshot: Snapshot) -> None:
        self._root = root
        self._snapshot = snapshot

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables."""
        return tuple(table.name for table in TABLES)

    @property
    def run_id(self) -> str:
        """The run that published this state."""
        return self._snapshot.run_id

    @property
    def source(self) -> str:
        """The cluster that the jobs come from."""
        return self._snapshot.manifest.origin.source

    @property
    def published_at(self) -> datetime:
        """When this state was built (UTC)."""
        return self._snapshot.manifest.created_at

    def rows(self, table: str) -> int:
        """Return the number of a table's rows, without reading it.

        Raises:
            KeyError: there is no such table.
        """
        return self._snapshot.rows(self._known(table))

    def __getitem__(self, table: str) -> pd.DataFrame:
        frame: pd.DataFrame = self._snapshot.read(self._known(table)).to_pandas()
        return frame

    def __iter__(self) -> Iterator[str]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}: {self._snapshot.rows(name):,}" for name in self.tables)
        return f"<Dataset {self._root} of {self.source}, snapshot {self.run_id}; {counts}>"

    def _known(self, table: str) -> str:
        if table not in self.tables:
            msg = f"no table {table!r}: choose one of {', '.join(self.tables)}"
            raise KeyError(msg)
        return table


def open_dataset(path: str | Path = "output") -> Dataset:
    """Open the dataset in a folder, pinned to what is published now.

    Args:
        path: the folder that `etl run --output` wrote to.

    Raises:
        OutputError: there is no dataset, or it cannot be read.
    """
    root = Path(path)
    snapshot = open_snapshot(root)
    if snapshot is None:
        msg = (
            f"{root.absolute()}: no dataset is published here; make one with `etl run`, or `etl demo` for a first look"
        )
        raise OutputError(msg)
    return Dataset(root, snapshot)
