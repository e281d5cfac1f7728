"""Libraries that only some commands need: whether they are installed, and what to do where they are not."""

from __future__ import annotations

import shlex
import sys
from importlib.util import find_spec

from etl.errors import UsageError


def check_libraries(what: str, *, extra: str, names: tuple[str, ...]) -> None:
    """Look whether what something needs is installed, without loading it.

    Args:
        what: needs them.
        extra: the project's extra that brings them.
        names: of the libraries, as they are imported.

    Raises:
        UsageError: one is missing; the message has the command that installs it, which works wherever `etl` itself
            came from.
    """
    missing = [name.replace("_", "-") for name in names if find_spec(name) is None]
    if missing:
        install = f"{shlex.quote(sys.executable)} -m pip install"
        msg = (
            f"{what} needs {' and '.join(missing)}: install with {install} {' '.join(missing)}, or in a checkout with "
            f"{install} -e '.[{extra}]'"
        )
        raise UsageError(msg)
