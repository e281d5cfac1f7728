"""Logging: to stderr, one line a record, every line masked; the only place that configures it."""

from __future__ import annotations

import logging
import re
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from etl.observe.run_name import name_run
from etl.scrub import Masker
from etl.scrub import text as masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOGGER = logging.getLogger("etl")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class LogFormat(StrEnum):
    """What a line of the log looks like."""

    TEXT = "text"
    """Time, level and message, for people."""

    JSON = "json"
    """An object in the fields of the Elastic Common Schema, for machines; nothing else comes to stderr then."""


@dataclass(slots=True)
class _Chosen:
    form: LogFormat = LogFormat.TEXT


_CHOSEN = _Chosen()


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


def choose_format(form: LogFormat) -> None:
    """Choose what lines look like, from now on and for `configure`; no run has begun yet."""
    _CHOSEN.form = form
    name_run(None)
    if form is LogFormat.JSON:
        configure(0)


def configure(verbosity: int, secrets: Iterable[str] = ()) -> None:
    """Send log records to stderr, in the format that was chosen.

    Args:
        verbosity: below 0 errors only, 0 warnings and the run's own news, 1 details of `etl`, 2 those of the libraries
            too.
        secrets: the run's own credentials, masked in every line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(secrets))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.WARNING)
    LOGGER.setLevel(logging.ERROR if verbosity < 0 else logging.INFO if verbosity == 0 else logging.DEBUG)


def is_for_machines() -> bool:
    """Tell whether stderr takes nothing but lines of JSON."""
    return _CHOSEN.form is LogFormat.JSON


def tell_problem(text: str) -> None:
    """Tell why a command ends as it does: in one line on stderr, masked."""
    _tell(logging.ERROR, "etl", text)


def tell_warning(text: str) -> None:
    """Tell what a person should know all the same: in one line on stderr, masked."""
    _tell(logging.WARNING, "warning", text)


def log_end(message: str, fields: Mapping[str, Any], *, is_well: bool) -> None:
    """Log how a run ended, with its figures as fields, where the log is for machines; people are shown a summary.

    Args:
        message: one line.
        fields: by the names of the Elastic Common Schema, or below `etl`.
        is_well: whether it ended with exit code 0; if not, the line is an error.
    """
    if is_for_machines():
        LOGGER.log(logging.INFO if is_well else logging.ERROR, "%s", message, extra=dict(fields))


def _tell(level: int, prefix: str, text: str) -> None:
    if is_for_machines():
        LOGGER.log(level, "%s", text)
    else:
        sys.stderr.write(f"{prefix}: {printable(masked(text))}\n")


def _formatter(secrets: Iterable[str]) -> logging.Formatter:
    if _CHOSEN.form is LogFormat.TEXT:
        return MaskingFormatter(secrets)
    from etl.observe.ecs import EcsFormatter  # noqa: PLC0415 - loaded only where the log is for machines

    return EcsFormatter(secrets)
