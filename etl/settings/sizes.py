"""Numbers of bytes as people write them."""

from __future__ import annotations

import re

_SIZE = re.compile(r"(?P<number>\d+)\s*(?P<unit>[kmg]?)(?:i?b)?", re.IGNORECASE)
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def size_bytes(text: str) -> int:
    """Read a number of bytes: bare, or with k, M or G, which are powers of 1024, with or without B or iB.

    Raises:
        ValueError: it is none, or 0.

    >>> size_bytes("500"), size_bytes("64MB"), size_bytes("2 GiB")
    (500, 67108864, 2147483648)
    """
    form = _SIZE.fullmatch(text.strip())
    found = int(form["number"]) * _BYTES[form["unit"].lower()] if form else 0
    if not found:
        msg = f"{text!r} is no number of bytes: write it like 500k, 64M or 1G"
        raise ValueError(msg)
    return found
