"""Elasticsearch connector sync jobs as tidy tables.

>>> import etl
>>> etl.open_dataset("output")["sync_jobs"]  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl.dataset import Dataset, open_dataset

__all__ = ["Dataset", "open_dataset"]


def __getattr__(name: str) -> object:
    """Load what reads datasets only when it is asked for: `import etl` stays light."""
    if name in __all__:
        from etl import dataset  # noqa: PLC0415 - pandas and pyarrow cost a second

        return getattr(dataset, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
