"""Durations as people write them."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|m|h|d|w)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, None: 1.0}

LONGEST_S = 36_500 * _SECONDS["d"]
"""A hundred years: clocks and calendars count as far, and nobody means more."""


def seconds(text: str) -> float:
    """Read a duration: a number with ms, s, m, h, d or w; a bare number is seconds.

    Raises:
        ValueError: it is none, or longer than LONGEST_S.

    >>> seconds("90"), seconds("1.5h"), seconds("7d")
    (90.0, 5400.0, 604800.0)
    """
    form = _DURATION.fullmatch(text.strip())
    if form is None:
        msg = f"{text!r} is no duration: write it like 90s, 15m, 1h or 7d"
        raise ValueError(msg)
    found = float(form["number"]) * _SECONDS[form["unit"]]
    if found > LONGEST_S:
        msg = f"{text!r} is longer than a hundred years"
        raise ValueError(msg)
    return found
