"""How worker programs start: forked from one program, which has loaded their libraries while the run did other things.

That program is started afresh, so that nothing of the run is inherited: no lock, no connection, no thread. Where a
system cannot fork, each worker is started afresh itself.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from etl.errors import EtlError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

_FORKS: Final = "forkserver" in multiprocessing.get_all_start_methods()
CONTEXT: Final[Any] = multiprocessing.get_context("forkserver" if _FORKS else "spawn")

_SERVE: Final = "etl.engine.worker"
_PAUSES_S: Final = (0.01, 0.1, 0.5, 1.0)


def prepare(module: str) -> None:
    """Let the libraries of workers be loaded, beside whatever this program does meanwhile; once is enough.

    Args:
        module: that the work of the workers is defined in.
    """
    if sys.platform == "win32" or not _FORKS:
        return
    from multiprocessing import forkserver, resource_tracker  # noqa: PLC0415 - short runs do not pay for it

    CONTEXT.set_forkserver_preload([_SERVE, module])
    resource_tracker.ensure_running()  # now, for it lets the signals in again that are kept out here
    # Signals reach all programs of a terminal or a service. The run is told of them, and tells its workers.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def started(target: Callable[..., None], arguments: tuple[Any, ...], module: str) -> BaseProcess:
    """Start a worker.

    Args:
        target: that it runs.
        arguments: of that.
        module: see `prepare`.

    Raises:
        EtlError: it cannot be started, again and again.
    """
    for pause in _PAUSES_S:
        prepare(module)
        program: BaseProcess = CONTEXT.Process(target=target, args=arguments, daemon=True)
        try:
            program.start()
        except (OSError, EOFError):  # the program that forks has died, perhaps for want of memory
            time.sleep(pause)  # its end may be seen before the system tells of it
        else:
            return program
    msg = "no worker program could be started: let the system have more memory, or run with --workers 1"
    raise EtlError(msg)
