"""Errors on their way from a worker to the run."""

from __future__ import annotations

import pickle
import traceback
from typing import TYPE_CHECKING

from etl.errors import EtlError

if TYPE_CHECKING:
    from collections.abc import Callable


def picklable(error: Exception) -> BaseException:
    """Return an error that can be carried to the run, with the traceback of this program as a note."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    except Exception:  # noqa: BLE001 - whatever an error's own class does when it is pickled
        return EtlError(f"{type(error).__name__} in a worker: {error}")
    return error


def masked(error: Exception, mask: Callable[[str], str]) -> EtlError:
    """Return an error that can be carried through other programs, as they may log it: none of its texts unmasked."""
    told = str(error) if isinstance(error, EtlError) else f"{type(error).__name__} in a worker: {error}"
    # Its class says what to do next; another one could hold anything.
    carried = (type(error) if isinstance(error, EtlError) else EtlError)(mask(told))
    carried.add_note(mask("".join(traceback.format_exception(error))))
    return carried
