"""What masks the secrets of a configuration in the texts of the other parts; the same for many configurations."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from etl.scrub import Masker
from etl.transform.anchors import Anchors
from etl.transform.memory import Memory

_LIMIT: Final = 8 * 2**20
_SIZE: Final = 10_240  # bytes that one takes
_SECRET_SIZE: Final = 1_280  # and for each secret, about: the beginnings of its spellings
_KNOWS_NONE: Final = Masker()


class Known:
    """The secrets of a configuration.

    Args:
        secrets: texts that were withheld.
    """

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets
        masker = Masker(secrets)
        self._anchors = None if masker.knows_numbers else Anchors(masker.anchors)

    def masker(self, raw: bytes) -> Masker:
        """Return what masks them in the texts of a part.

        Args:
            raw: the part, as JSON.
        """
        return self._masker if self._anchors is None or self._anchors.may_stand_in(raw) else _KNOWS_NONE

    @cached_property
    def _masker(self) -> Masker:
        # Made again, for few parts need it: its spellings take more memory than all else.
        return Masker(self._secrets)


class Maskers:
    """Remembers what masks which secrets: configurations differ in their secrets less than in all else."""

    def __init__(self) -> None:
        self._known: Memory[Known] = Memory(_LIMIT)

    def of(self, secrets: frozenset[str]) -> Known:
        """Return what masks these secrets."""
        known = self._known.get(secrets)
        if known is None:
            known = Known(secrets)
            self._known.put(secrets, known, _SIZE + _SECRET_SIZE * len(secrets))
        return known
