"""Variables of the environment that look like those of an option, and are not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from etl.observe.logs import tell_warning
from etl.settings import VARIABLES

if TYPE_CHECKING:
    import click

LIKENESS: Final = 0.9
"""From here on two names are taken for one (`difflib`). Names that differ more may be somebody else's."""


def tell_misspelt(context: click.Context, _option: click.Parameter, quiet: bool) -> bool:  # noqa: FBT001 - click's interface
    """Warn of variables that are one or two letters off an option of the command, unless it is to be quiet."""
    known = {str(given.envvar) for given in context.command.params if given.envvar}
    known.update(name for names in VARIABLES.values() for name in names)
    others = [] if quiet else [name for name in os.environ if name.startswith("ETL_") and name not in known]
    for name in sorted(others):
        from difflib import get_close_matches  # noqa: PLC0415 - rarely needed

        for meant in get_close_matches(name, known, n=1, cutoff=LIKENESS):
            tell_warning(f"{name} of the environment is not read: is {meant} meant?")
    return quiet
