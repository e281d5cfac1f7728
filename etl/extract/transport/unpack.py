"""Undoes gzip as the pieces come, no further than a limit, however much they would become."""

from __future__ import annotations

import zlib
from typing import Final

_GZIP: Final = 16 + zlib.MAX_WBITS


class Gunzip:
    """Unpacks one body, which may be of several members; what follows the first and is none is left out."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)
        self._has_first = False

    @property
    def is_whole(self) -> bool:
        """Tell whether a member has come to its end."""
        return self._has_first

    def feed(self, piece: bytes, most: int) -> bytes:
        """Return what a piece becomes, at most so many bytes of it.

        Raises:
            zlib.error: it is no gzip.
        """
        made: list[bytes] = []
        while piece and most > 0:
            if self._member.eof:
                self._member = zlib.decompressobj(_GZIP)
            try:
                made.append(self._member.decompress(piece, most))
            except zlib.error:
                if self._has_first:
                    break
                raise
            most -= len(made[-1])
            self._has_first = self._has_first or self._member.eof
            piece = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        return b"".join(made)
