"""One writer per dataset where there are no locks: an object that says who writes, and has to be renewed.

A lease is written by conditions, so that of two runs one gets it. Its age is told by the store's own clock. Whoever has
not renewed it for a minute has lost it, and finds that out before its next change: a machine that slept does, too. A
program that was killed on this machine has lost it at once.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from datetime import datetime  # noqa: TC003 - msgspec resolves the types of the fields at run time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

import msgspec

from etl.errors import LockedError
from etl.load.objects.program import has_died, program_mark
from etl.load.objects.store import StoreError
from etl.observe.logs import LOGGER

if TYPE_CHECKING:
    from etl.load.objects.path import ObjectPath

LEASE_S = 60.0
"""Seconds without renewal after which another run may take the lease."""

_OWN_S = 40.0  # after which the run itself counts it as lost: what it does then must end before others begin
_RENEWAL_S = 10.0


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the lease.

    Attributes:
        run: that holds it.
        host: where the run works.
        pid: of its program.
        since: when it took the lease (UTC).
        program: see `program_mark`.
        nonce: differs each time it is written.
        is_free: whether it was given back.
    """

    run: str
    host: str
    pid: int
    since: datetime
    program: str | None = None
    nonce: str = ""
    is_free: bool = False


class Lease:
    """The lease of a dataset, held from `acquire` until `release`, and renewed meanwhile by a thread."""

    def __init__(self, path: ObjectPath, held: Held) -> None:
        self._path = path
        self._held = held
        self._lock = Lock()
        self._tag: str | None = None
        self._renewed_at = _now()
        self._is_lost = False
        self._ended = Event()
        self._thread = Thread(target=self._keep, name="etl-lease", daemon=True)

    @classmethod
    def acquire(cls, path: ObjectPath, *, run_id: str, now: datetime) -> Lease:
        """Take the lease at once or not at all.

        Raises:
            LockedError: another run holds it; the message names it.
            StoreError: the store refuses.
        """
        pid = os.getpid()
        lease = cls(path, Held(run=run_id, host=socket.gethostname(), pid=pid, since=now, program=program_mark(pid)))
        lease._begin()
        return lease

    def check(self) -> None:
        """See, without asking the store, that the lease is still held.

        Raises:
            LockedError: it is not.
        """
        if self._is_lost or _now() - self._renewed_at > _OWN_S:
            raise LockedError(self._lost())

    def confirm(self) -> None:
        """Ask the store whether the lease is still held.

        Raises:
            LockedError: it is not.
            StoreError: the store refuses.
        """
        self._renew()
        self.check()

    def release(self) -> None:
        """Give the lease back; doing it twice is fine. Where that cannot be said to the store, it runs out."""
        if self._ended.is_set():
            return
        self._ended.set()
        self._thread.join(_RENEWAL_S)
        if self._is_lost or self._thread.is_alive():
            return
        try:
            self._write(is_free=True)
        except StoreError as error:
            LOGGER.warning("the lease of the dataset could not be given back, and runs out by itself: %s", error)

    def _begin(self) -> None:
        tag = None
        try:
            found = self._path.store.read_tagged(self._path.key)
        except FileNotFoundError:
            pass
        else:
            held = read_held(found.content)
            if held is not None and is_held(held, found.age_s):
                raise LockedError(held_by(self._path, held))
            tag = found.tag
        self._tag = tag
        if not self._write():
            raise LockedError(held_by(self._path, _held_at(self._path)))
        self._try_conditions()
        self._thread.start()

    def _try_conditions(self) -> None:
        """See whether the store looks at conditions, by one that does not hold."""
        store = self._path.store
        if store.has_conditions and (tag := store.put_if(self._path.key, self._content(), None)) is not None:
            store.has_conditions, self._tag = False, tag
        if not store.has_conditions:
            LOGGER.warning(
                "%s: the store writes without looking at conditions, so two runs at once could undo each other: let "
                "no two run at the same time",
                self._path.parent,
            )

    def _keep(self) -> None:
        while not self._ended.wait(_RENEWAL_S):
            try:
                self._renew()
            except StoreError as error:  # the next time may go well; if not, `check` counts
                LOGGER.warning("the lease of the dataset could not be renewed: %s", error)

    def _renew(self) -> None:
        with self._lock:
            if not self._is_lost and not self._write():
                self._is_lost = True

    def _write(self, *, is_free: bool = False) -> bool:
        """Write the lease in the place of what this run has seen there last; tell whether that was still there."""
        begun = _now()
        tag = self._path.store.put_if(self._path.key, self._content(is_free=is_free), self._tag)
        if tag is None:
            return False
        self._tag, self._renewed_at = tag, begun
        return True

    def _content(self, *, is_free: bool = False) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(self._held, nonce=secrets.token_hex(8), is_free=is_free))

    def _lost(self) -> str:
        return (
            f"{self._path}: the lease was lost, since this run did not renew it in time, or another one took it; run "
            "again, what was fetched is adopted"
        )


def read_held(content: bytes) -> Held | None:
    """Read a lease; None where it is none, which nobody holds."""
    try:
        return msgspec.json.decode(content, type=Held)
    except (msgspec.MsgspecError, UnicodeError):
        return None


def is_held(held: Held, age_s: float) -> bool:
    """Tell whether a run holds the lease that was written so long ago."""
    return not held.is_free and age_s < LEASE_S and not has_died(held.program)


def holder_of_lease(path: ObjectPath) -> str | None:
    """Say who holds the lease of a dataset; None where it is free.

    Raises:
        StoreError: the store refuses.
    """
    try:
        found = path.store.read_tagged(path.key)
    except FileNotFoundError:
        return None
    held = read_held(found.content)
    return held_by(path, held) if held is not None and is_held(held, found.age_s) else None


def _held_at(path: ObjectPath) -> Held | None:
    try:
        return read_held(path.read_bytes())
    except FileNotFoundError:
        return None


def held_by(path: ObjectPath, held: Held | None) -> str:
    """Say who holds a lease."""
    if held is None:
        return f"{path}: another run holds the lease; wait for it to end"
    return (
        f"{path}: run {held.run} on host {held.host}, pid {held.pid}, has held the lease since "
        f"{held.since:%Y-%m-%dT%H:%M:%SZ}; wait for it to end, or for a minute where it was killed"
    )


def _now() -> float:
    """Return seconds that also pass while the machine sleeps, where the system counts them."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
