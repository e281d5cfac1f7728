"""Values of options, as people write them."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from typing import Any

import click

from etl.errors import UsageError
from etl.load.place import is_address, located
from etl.settings import FORMATS, LONGEST_S, Share, seconds, size_bytes


def duration(given: str | float) -> float:
    """Read an option's duration, written like 90s, 15m, 1h or 7d; return seconds."""
    if isinstance(given, int | float):
        return float(given)
    try:
        return seconds(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def above_zero(_context: click.Context, _option: click.Parameter, given: float) -> float:
    """Refuse a duration in which nothing can happen."""
    if given <= 0:
        msg = "nothing ends in no time: write it like 10s"
        raise click.BadParameter(msg)
    return given


class Hours(click.FloatRange):
    """A number of hours, up to a hundred years."""

    def __init__(self) -> None:
        super().__init__(0, round(LONGEST_S / 3600))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401 - click's interface
        """Read the number."""
        found = float(super().convert(value, param, ctx))
        if math.isnan(found):  # lies outside of no range
            self.fail(f"{value!r} is no number of hours", param, ctx)
        return found


class Place(click.Path):
    """A path of this machine, which can be read, written and shown."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's interface
        """Check the path."""
        problem = _problem(os.fspath(value))
        if problem is not None:
            self.fail(problem, param, ctx)
        return super().convert(value, param, ctx)


class Anywhere(Place):
    """A path of this machine, or an address in an object store; the text stays as it was given."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's interface
        """Check the path or the address."""
        if not is_address(os.fspath(value)):
            return super().convert(value, param, ctx)
        try:
            located(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return value


def place_of(output: str) -> Path:
    """Return where a dataset is, as summaries name it: whole, its links as they are."""
    return located(output) if is_address(output) else whole(output)


def whole(path: str) -> Path:
    """Return a path as runs name it: absolute, its links as they are."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links


def _problem(path: str) -> str | None:
    """Say why a text can be no path; None where it can."""
    if not path.strip():
        return "the path is empty: is a variable of the shell not set?"
    if "://" in path:
        return f"{path!a} is an address, no path: name a place on this machine"
    full = str(whole(path))
    try:
        full.encode()
        os.lstat(full)
    except UnicodeError:
        return f"{full!a} is no UTF-8: rename it, or set PYTHONUTF8=1 where its name is UTF-8 all the same"
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return f"{error.strerror}: take a shorter one"
    return None


def size(given: str | int) -> int:
    """Read an option's number of bytes, written like 500k, 64M or 1G."""
    if isinstance(given, int):
        return given
    try:
        return size_bytes(given)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Read an option's names, separated by commas; return each once, in order."""
    if isinstance(given, tuple):
        return given
    return tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))


def share(given: str | Share) -> Share:
    """Read a number of ids, or a part of all such as 5%."""
    if isinstance(given, Share):
        return given
    number, percent = given.strip(), ""
    if number.endswith("%"):
        number, percent = number[:-1], "%"
    try:
        found = Share(percent=float(number)) if percent else Share(number=int(number))
    except ValueError as error:
        msg = f"{given!r} is neither a number of ids nor a part such as 5%"
        raise click.BadParameter(msg) from error
    if found.of(100) < 0:
        msg = f"{given!r} is negative"
        raise click.BadParameter(msg)
    if percent and not found.of(100) <= 100:  # noqa: PLR2004 - percent; not a number is refused too
        msg = f"{given!r} is no part of all: write 0% to 100%"
        raise click.BadParameter(msg)
    return found


def mode(given: str | int) -> int:
    """Read permissions, written in octal; the owner must be able to read and write."""
    if isinstance(given, int):
        return given
    try:
        found = int(given, 8)
    except ValueError:
        found = -1
    if not 0 <= found <= 0o777 or found & 0o600 != 0o600:  # noqa: PLR2004 - bits
        msg = f"{given!r} are no permissions of a file that its owner can write: write them like 0640"
        raise click.BadParameter(msg)
    return found


def formats(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """Read the names of formats."""
    chosen = names(given)
    for name in chosen:
        if name not in FORMATS:
            msg = f"format {name}: unknown; choose of {', '.join(FORMATS)}"
            raise click.BadParameter(msg)
    return chosen
