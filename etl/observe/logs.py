"""Logging: to stderr, one line a record, every line masked; the only place that configures it."""

from __future__ import annotations

import logging
import re
import sys
import time
from typing import TYPE_CHECKING

from etl.scrub import Masker

if TYPE_CHECKING:
    from collections.abc import Iterable

LOGGER = logging.getLogger("etl")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""Escape control characters, so that no text from outside steers a terminal or forges a log line.

    >>> printable("ok\x1b[2J")
    'ok\\x1b[2J'
    """
    return _UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class MaskingFormatter(logging.Formatter):
    """Formats a record, traceback included, and masks the known secrets and what looks like one."""

    converter = staticmethod(time.gmtime)
    default_msec_format = None

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)sZ %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
        self._masker = Masker(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """Return the masked line; further lines are only those of a traceback."""
        return printable(self._masker.text(super().format(record)))


def configure(verbosity: int, secrets: Iterable[str] = ()) -> None:
    """Send log records to stderr.

    Args:
        verbosity: below 0 errors only, 0 warnings and the run's own news, 1 details of `etl`, 2 those of the libraries
            too.
        secrets: the run's own credentials, masked in every line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(MaskingFormatter(secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.WARNING)
    LOGGER.setLevel(logging.ERROR if verbosity < 0 else logging.INFO if verbosity == 0 else logging.DEBUG)
