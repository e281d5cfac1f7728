"""Seeded choices that come out the same on every machine and under every Python version."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

_T = TypeVar("_T")


class Dice:
    """A stream of choices for one part of one job.

    Only `Random.random` is promised to give the same sequence in later versions of Python, so everything is drawn
    with it; the ids of the demo would not keep their states otherwise.
    """

    def __init__(self, seed: int, number: int, part: int) -> None:
        self._draw = Random((seed << 48) ^ (number << 4) ^ part).random  # noqa: S311 - invents documents, no secrets

    def share(self) -> float:
        """Return a number from 0 up to 1."""
        return self._draw()

    def chance(self, share: float) -> bool:
        """Return True in this share of draws."""
        return self._draw() < share

    def between(self, low: int, high: int) -> int:
        """Return a whole number, both ends included."""
        return low + int(self._draw() * (high - low + 1))

    def skewed(self, low: int, high: int) -> int:
        """Return a whole number, small ones far more often than large ones."""
        return low + int(self._draw() ** 4 * (high - low + 1))

    def pick(self, options: Sequence[_T]) -> _T:
        """Return one of the options, each as likely."""
        return options[int(self._draw() * len(options))]

    def weighted(self, options: Sequence[tuple[_T, float]]) -> _T:
        """Return one of the options by their weights, which add up to 1."""
        point = self._draw()
        for option, weight in options:
            point -= weight
            if point < 0:
                return option
        return options[-1][0]

    def text(self, length: int, alphabet: str) -> str:
        """Return a text of this length over the alphabet."""
        size = len(alphabet)
        return "".join([alphabet[int(self._draw() * size)] for _ in range(length)])
