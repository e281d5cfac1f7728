"""Reading for analysts: a dataset pinned to one snapshot, its tables as pandas DataFrames, and what it holds."""

from etl.dataset.opened import Dataset, open_dataset

__all__ = ["Dataset", "open_dataset"]
