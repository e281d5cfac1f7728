"""The way to a Dask cluster: its scheduler, its workers, and whether they can do the work."""

from __future__ import annotations

import asyncio
import logging
import warnings
from contextlib import contextmanager, suppress
from dataclasses import fields
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

import dask
from distributed import Client, Security
from distributed.versions import VersionMismatchWarning
from tornado.ioloop import IOLoop

from etl.engine import remote
from etl.engine.remote import versions as versions_here
from etl.errors import EtlError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from etl.engine.sealed import Sealed
    from etl.engine.told import Versions

ANSWER_WITHIN_S: Final = 10.0
WORKERS_WITHIN_S: Final = 60.0
"""Seconds for which a cluster may be without workers: those of a cloud take as long to come."""

_CHECK_WITHIN_S: Final = 60.0  # the first look loads this project on each worker
_LEAVE_WITHIN_S: Final = 5.0
_LOGGERS: Final = ("distributed", "distributed.client", "distributed.gc", "bokeh", "tornado", "tornado.application")


@contextmanager
def joined(scheduler: str) -> Iterator[Client]:
    """Connect to a scheduler while the block runs.

    Args:
        scheduler: its address.

    Raises:
        UnreachableError: nothing answers there.
        UsageError: the address begins with tls://, and Dask has no certificates configured.
    """
    _take_over_logs()
    # A batch of large documents is no mistake. Mistakes in versions are told by `check`, as errors.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GiB"}), _loop() as loop:
        client = _connected(scheduler, loop)
        try:
            yield client
        finally:
            with suppress(TimeoutError, OSError):
                client.close(timeout=_LEAVE_WITHIN_S)


def _connected(scheduler: str, loop: IOLoop) -> Client:
    security = Security()
    if scheduler.startswith("tls:") and security.get_connection_args("client")["ssl_context"] is None:
        msg = (
            f"--dask-scheduler {scheduler}: for tls:// let Dask's own configuration name the certificates "
            "(DASK_DISTRIBUTED__COMM__TLS__CA_FILE and __CLIENT__CERT, __CLIENT__KEY)"
        )
        raise UsageError(msg)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(
                scheduler, loop=loop, timeout=ANSWER_WITHIN_S, set_as_default=False, name="etl", security=security
            )
    except (OSError, TimeoutError) as error:
        msg = (
            f"no Dask scheduler answers at {scheduler}: start one with `dask scheduler`, or correct the address that "
            "--dask-scheduler names"
        )
        raise UnreachableError(msg) from error


@contextmanager
def _loop() -> Iterator[IOLoop]:
    """Run an event loop in a thread of its own; that of a client which could not connect would never end."""
    begun: SimpleQueue[tuple[IOLoop, asyncio.Event]] = SimpleQueue()

    async def go_on() -> None:
        over = asyncio.Event()
        begun.put((IOLoop.current(), over))
        await over.wait()

    thread = Thread(target=lambda: asyncio.run(go_on()), name="dask", daemon=True)
    thread.start()
    loop, over = begun.get()
    try:
        yield loop
    finally:
        loop.add_callback(over.set)
        thread.join(_LEAVE_WITHIN_S)


def workers_of(client: Client, scheduler: str) -> dict[str, int]:
    """Return the number of threads of each worker by its address; waits a while for the first one.

    Raises:
        UnreachableError: none comes.
    """
    try:
        client.wait_for_workers(1, timeout=WORKERS_WITHIN_S)
    except TimeoutError as error:
        raise UnreachableError(without_workers(scheduler)) from error
    return dict(client.nthreads())


def without_workers(scheduler: str) -> str:
    """Say that a cluster has no workers, and what to do."""
    return (
        f"the Dask cluster at {scheduler} has no worker for {WORKERS_WITHIN_S:.0f} s: start some with "
        f"`dask worker {scheduler}`"
    )


def check(client: Client, scheduler: str, work: Sealed) -> None:
    """Look whether scheduler and workers have what it takes.

    Raises:
        UsageError: versions differ, or a worker has no credentials.
        OutputError: a worker does not see the output folder, or cannot write to it.
        UnreachableError: a worker does not answer.
    """
    with _told_of(f"the scheduler {scheduler}"):
        _compare(client.run_on_scheduler(remote.versions), f"the scheduler {scheduler}")
    for place, found in _on_each(client, remote.versions).items():
        _compare(found, place)
    for place, problem in _on_each(client, remote.check, work).items():
        if problem is not None:
            msg = f"{place}: {problem}"
            raise type(problem)(msg)


def _on_each(client: Client, function: Any, *arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any function and its arguments
    """Call a function on each worker; return what it returned by the words for the worker."""

    async def called() -> Any:  # noqa: ANN401 - as Dask returns it
        return await asyncio.wait_for(client.run(function, *arguments, on_error="return"), _CHECK_WITHIN_S)

    try:
        answers = client.sync(called)
    except TimeoutError as error:
        msg = f"a Dask worker gave no answer within {_CHECK_WITHIN_S:.0f} s: see to the workers, and run again"
        raise UnreachableError(msg) from error
    found: dict[str, Any] = {}
    for address, answer in answers.items():
        place = f"Dask worker {address}"
        with _told_of(place):
            if isinstance(answer, Exception) and not isinstance(answer, EtlError):
                raise answer
        found[place] = answer
    return found


@contextmanager
def _told_of(place: str) -> Iterator[None]:
    """Say in our words what Dask raises."""
    try:
        yield
    except ImportError as error:
        msg = f"{place}: {error}; install the etl of the run there"
        raise UsageError(msg) from error
    except OSError as error:
        msg = f"{place} gave no answer: {error}; see to it, and run again"
        raise UnreachableError(msg) from error


def _compare(there: Versions, place: str) -> None:
    here = versions_here()
    differ = [
        f"{field.name} {getattr(there, field.name)} there, {getattr(here, field.name)} here"
        for field in fields(here)
        if getattr(there, field.name) != getattr(here, field.name)
    ]
    if differ:
        msg = f"{place} has other versions ({'; '.join(differ)}): install the same ones everywhere"
        raise UsageError(msg)


def _take_over_logs() -> None:
    """Let the libraries' lines take the way of all others, where they are masked; they print by themselves else."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        if name.startswith("distributed"):
            logger.setLevel(logging.NOTSET)
