"""Keeps out of a program what it never uses.

pyarrow imports pandas, where it is installed, with the first array that it makes of a list: 0.2 s of processor time and
40 MB in each program. Programs that make no frames can do without.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _NoPandas(MetaPathFinder):
    """Finds no pandas, and leaves all else to the others."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as importlib asks
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Raise ModuleNotFoundError for pandas; see `importlib`."""
        if fullname.partition(".")[0] == "pandas":
            msg = "no frames are made in this program"
            raise ModuleNotFoundError(msg, name=fullname)
        return None


def without_pandas() -> None:
    """Let imports of pandas fail in this program from now on; pyarrow takes that for not installed."""
    sys.meta_path.insert(0, _NoPandas())
