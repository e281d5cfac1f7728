"""Durations as bins of equal ratio: counts of bins add up, so that a median of any selection can be told later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

FINEST = 64
"""Bins an octave where they are made; a bin's middle is within 0.6% of every duration in it."""

UNDER_A_SECOND = -1
"""The bin of durations from zero to below a second, whose middle is half a second."""


def bins_of(seconds: pa.ChunkedArray) -> pa.Array:
    """Return the bin of each duration; null where it is missing or negative."""
    values = pc.fill_null(seconds, -1.0).to_numpy()
    logarithms = np.log2(np.maximum(values, 1.0)) * FINEST
    bins = np.where(values < 1.0, UNDER_A_SECOND, np.floor(logarithms)).astype(np.int32)
    return pa.array(bins, pa.int32(), mask=values < 0)


def coarser(bins: pa.ChunkedArray, factor: int) -> pa.Array:
    """Join `factor` neighbours each; the bin below a second stays, and null stays null."""
    values = pc.fill_null(bins, 0).to_numpy()
    joined = np.where(values < 0, UNDER_A_SECOND, values // factor).astype(np.int32)
    return pa.array(joined, pa.int32(), mask=bins.is_null().to_numpy())


def middle(number: int, steps: int) -> float:
    """Return the seconds that stand for a bin, of `steps` an octave.

    >>> round(middle(0, 8), 3)
    1.044
    """
    return 0.5 if number < 0 else float(2 ** ((number + 0.5) / steps))


def quantile(counts: Mapping[int, int], share: float, steps: int) -> float | None:
    """Return the duration that this share of the durations does not exceed, to the precision of bins.

    Args:
        counts: by bin.
        share: over 0, and 1 at most.
        steps: bins an octave.
    """
    wanted = share * sum(counts.values())
    seen = 0
    for number in sorted(counts):
        seen += counts[number]
        if seen >= wanted:
            return middle(number, steps)
    return None
