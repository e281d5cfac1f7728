"""The headers of an answer as they came, read only where somebody asks: of most answers, nobody does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class RawHeaders(Mapping[str, str]):
    r"""Headers by name, in any case; one that stands several times is joined by commas.

    Args:
        lines: of the head as they came, the status line first.

    >>> RawHeaders([b"HTTP/1.1 429 Busy\r\n", b"Retry-After: 7\r\n", b"\r\n"])["retry-after"]
    '7'
    """

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines
        self._read: dict[str, str] | None = None

    def __getitem__(self, name: str) -> str:
        return self._values()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def _values(self) -> dict[str, str]:
        if self._read is None:
            self._read = {}
            for line in self._lines[1:]:
                name, colon, value = line.decode("latin-1").partition(":")
                if colon:
                    key, value = name.strip().lower(), value.strip()
                    self._read[key] = f"{self._read[key]}, {value}" if key in self._read else value
        return self._read
