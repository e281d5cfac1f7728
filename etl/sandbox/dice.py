"""Seeded choices that come out the same on every machine and under every Python version."""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")

_unpack = struct.Struct("<16I").unpack
_UNIT = 2.0**-32


class Dice:
    """A stream of choices for one part of one job.

    A hash in counter mode rather than `random.Random`: a stream begins in a microsecond instead of ten, and a job has
    several; nor may the ids of the demo lose their states with a new version of Python.
    """

    __slots__ = ("_block", "_key", "_words")

    def __init__(self, seed: int, number: int, part: int) -> None:
        self._key = struct.pack("<QQB", seed, number, part)
        self._block = 0
        self._words: list[int] = []

    def share(self) -> float:
        """Return a number from 0 up to 1."""
        if not self._words:
            self._words = list(_unpack(blake2b(self._key, salt=self._block.to_bytes(8, "little")).digest()))
            self._block += 1
        return self._words.pop() * _UNIT

    def chance(self, share: float) -> bool:
        """Return True in this share of draws."""
        return self.share() < share

    def between(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + int(self.share() * (high - low + 1))

    def skewed(self, low: int, high: int) -> int:
        """Return a whole number, small ones far more often than large ones."""
        return low + int(self.share() ** 4 * (high - low + 1))

    def pick(self, options: Sequence[_T]) -> _T:
        """Return one of the options, each as likely."""
        return options[int(self.share() * len(options))]

    def weighted(self, options: Sequence[tuple[_T, float]]) -> _T:
        """Return one of the options by their weights, which add up to 1."""
        point = self.share()
        for option, weight in options:
            point -= weight
            if point < 0:
                return option
        return options[-1][0]

    def text(self, length: int, alphabet: str) -> str:
        """Return a text of this length over the alphabet."""
        size = len(alphabet)
        letters = ""
        while len(letters) < length:
            block = blake2b(self._key, salt=self._block.to_bytes(8, "little"), person=b"text").digest()
            letters += "".join([alphabet[byte % size] for byte in block])
            self._block += 1
        return letters[:length]
