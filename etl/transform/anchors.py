"""Looks for the beginnings of known secrets in the whole text of a part at once, so that its texts need no search each.

Most parts hold none. Python searches a text for a hundred beginnings one by one; here all of them are looked up in one
table, by a number that is made of their characters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTH = 4  # characters of a beginning that make its number
_FACTORS = (1, 31, 961, 29791)
_NUMBERS = 1 << 13  # so few that the tables of hundreds of configurations stay small


class Anchors:
    """The beginnings of known secrets.

    Args:
        anchors: see `Masker.anchors`; by length, in small letters.
    """

    def __init__(self, anchors: Mapping[int, Mapping[str, object]]) -> None:
        # A text in ASCII, which is all that is searched here, cannot hold the others.
        self._long = {
            anchor for length in anchors if length >= _WIDTH for anchor in anchors[length] if anchor.isascii()
        }
        self._short = [anchor for length in anchors if length < _WIDTH for anchor in anchors[length]]
        self._lengths = {len(anchor) for anchor in self._long}
        self._table = np.zeros(_NUMBERS, dtype=np.bool_)
        if self._long:
            firsts = np.frombuffer("".join(anchor[:_WIDTH] for anchor in self._long).encode(), dtype=np.uint8)
            self._table[_numbers(firsts)[::_WIDTH]] = True

    def may_stand_in(self, raw: bytes) -> bool:
        """Tell whether a text may hold one of them; it surely does not where this is false.

        Args:
            raw: the JSON of a part; with escapes or characters beyond ASCII in it, anything may be.
        """
        if b"\\" in raw or not raw.isascii():
            return True
        lowered = raw.lower()
        text = lowered.decode()
        if any(anchor in text for anchor in self._short):
            return True
        if len(lowered) < _WIDTH or not self._long:
            return False
        found = np.flatnonzero(self._table[_numbers(np.frombuffer(lowered, dtype=np.uint8))])
        return any(text[at : at + length] in self._long for at in found.tolist() for length in self._lengths)


def _numbers(characters: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Return the number of each piece of _WIDTH characters."""
    wide = characters.astype(np.uint32)
    last = len(wide) - _WIDTH + 1
    numbers = wide[:last].copy()
    for offset, factor in enumerate(_FACTORS[1:], 1):
        numbers += wide[offset : last + offset] * np.uint32(factor)
    return numbers & np.uint32(_NUMBERS - 1)
