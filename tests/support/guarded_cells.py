"""What cells of a CSV file stand for in which formulas were made harmless."""

from __future__ import annotations

import re

_GUARDED = re.compile("'+[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def original_text(cell: str) -> str:
    """Return the value that a cell stands for.

    >>> original_text("'=1+1"), original_text("''=1"), original_text("'tis"), original_text("-5")
    ('=1+1', "'=1", "'tis", '-5')
    """
    return cell[1:] if _GUARDED.match(cell) else cell
