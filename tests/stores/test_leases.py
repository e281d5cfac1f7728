"""Two runs at one dataset in a store: one of them publishes, and what the other fetched is not lost."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TYPE_CHECKING
from unittest import mock

import msgspec
import pytest
from stores import keys_below, objects_below

from etl.errors import LockedError
from etl.load.layout import Layout
from etl.load.lock import acquire, holder_of, name_of_holder
from etl.load.objects import lease as lease_module
from etl.load.objects.lease import Held, Lease
from etl.load.objects.program import has_died, program_mark
from etl.load.objects.store import StoreError
from etl.load.place import in_store, located, storage_of
from etl.load.pointer import read_pointer, swap_pointer
from etl.load.runs import RunRecord
from etl.observe.logs import LOGGER
from tests.load.conftest import HOUR, NOW, Job, Run, contents, expected

if TYPE_CHECKING:
    from pathlib import Path

    from stores import Request, S3Server

    from etl.load.objects.path import ObjectPath

A, B = Job(id="a"), Job(id="b")
OTHER = "20261124T000000Z-00000b"


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> Path:
    if request.param == "s3":
        root: Path = request.getfixturevalue("root")
        return root
    return located(f"memory://leases/{abs(hash(request.node.nodeid)):x}")


def lock_of(root: Path) -> ObjectPath:
    found = in_store(Layout(root).lock)
    assert found is not None
    return found


def lease(root: Path, run_id: str = OTHER) -> Lease:
    return Lease.acquire(lock_of(root), run_id=run_id, now=NOW)


def run(root: Path, run_id: str = "") -> Run:
    return Run(storage_of(root), run_id=run_id)


def test_a_run_that_works_keeps_others_out_and_one_that_ended_does_not(place: Path) -> None:
    held = lease(place)
    with pytest.raises(LockedError, match=f"run {OTHER} on host .*, pid {os.getpid()}, has held the lease"):
        lease(place, "20261124T000000Z-00000c")
    assert OTHER in str(holder_of(Layout(place).lock))
    seen = name_of_holder(Layout(place).lock)
    held.confirm()
    assert name_of_holder(Layout(place).lock) == seen

    held.release()
    held.release()

    assert holder_of(Layout(place).lock) is None
    lease(place).release()


def test_of_many_that_ask_at_once_one_gets_the_lease(place: Path) -> None:
    together = Barrier(6)

    def ask(number: int) -> Lease | None:
        together.wait()
        with suppress(LockedError):
            return lease(place, f"20261124T000000Z-00000{number}")
        return None

    for _ in range(3):
        with ThreadPoolExecutor(6) as pool:
            got = [found for found in pool.map(ask, range(6)) if found is not None]
        assert len(got) == 1
        got[0].release()


def test_a_lease_that_was_not_renewed_is_taken_and_its_run_ends_before_its_next_change(place: Path) -> None:
    slow = storage_of(place)
    held = acquire(slow, run_id=OTHER, now=NOW)
    with mock.patch.object(lease_module, "LEASE_S", new=0.0):
        taken = lease(place, "20261124T000000Z-00000c")

    with pytest.raises(LockedError, match="the lease was lost"):
        held.confirm()  # type: ignore[union-attr]  # it is a lease here
    with pytest.raises(LockedError, match="run again, what was fetched is adopted"):
        slow.write_file(place / "file", b"")
    assert not (place / "file").exists()
    held.release()
    assert holder_of(Layout(place).lock) is not None
    taken.release()


def test_a_run_that_slept_finds_out_without_asking_that_its_lease_ran_out(place: Path) -> None:
    held = lease(place)
    held.check()
    with mock.patch.object(lease_module, "_now", return_value=held._renewed_at + 41), pytest.raises(LockedError):
        held.check()
    held.release()


def test_a_lease_is_renewed_while_its_run_works(place: Path) -> None:
    with mock.patch.object(lease_module, "_RENEWAL_S", new=0.001):
        held = lease(place)
        first = objects_below(place)["_lock"]
        while objects_below(place)["_lock"] == first:
            pass  # until it is: without a renewal this does not end
        held.release()
    names = {msgspec.json.decode(content, type=Held).run for content in (first, objects_below(place)["_lock"])}
    assert names == {OTHER}


def test_a_renewal_that_fails_once_is_made_good(root: Path, s3: S3Server) -> None:
    held = lease(root)
    s3.refuse(lambda request: request.method == "PUT")
    with pytest.raises(StoreError):
        held.confirm()
    held.check()
    s3.refuse(lambda _: False)
    held.confirm()
    held.release()


def test_a_lease_of_a_program_that_was_killed_is_taken_at_once(place: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as program:
        mark = program_mark(program.pid)
        assert mark is not None
        left = Held(run=OTHER, host="here", pid=program.pid, since=NOW, program=mark)
        lock_of(place).store.put(lock_of(place).key, msgspec.json.encode(left))
        assert not has_died(mark)
        with pytest.raises(LockedError):
            lease(place)
        program.kill()
        program.wait()
        assert has_died(mark)
    lease(place).release()


@pytest.mark.parametrize("mark", [None, "another-boot pid:[1] 1 1", "x"])
def test_of_a_program_elsewhere_nobody_says_that_it_died(mark: str | None) -> None:
    assert not has_died(mark)


def test_what_is_no_lease_keeps_nobody_out(place: Path) -> None:
    lock_of(place).store.put(lock_of(place).key, b"left by hand")
    assert holder_of(Layout(place).lock) is None
    lease(place).release()


def test_of_two_that_publish_upon_one_state_the_second_is_refused(place: Path) -> None:
    run(place).publish([A])
    base = read_pointer(place)
    swap_pointer(storage_of(place), OTHER, base=base)
    with pytest.raises(LockedError, match="somebody has published since"):
        swap_pointer(storage_of(place), "20261124T000000Z-00000c", base=base)
    assert read_pointer(place) == OTHER


def test_of_two_that_publish_first_the_second_is_refused(place: Path) -> None:
    swap_pointer(storage_of(place), OTHER, base=None)
    with pytest.raises(LockedError, match="somebody has published since"):
        swap_pointer(storage_of(place), "20261124T000000Z-00000c", base=None)


def test_one_that_comes_between_reading_and_writing_the_pointer_wins(root: Path, s3: S3Server) -> None:
    """The last moment in which it can happen: only the condition of the store itself holds then."""
    store = lock_of(root).store
    came: list[Request] = []

    def come(request: Request) -> None:
        if request.method == "PUT" and request.key.endswith("_latest.json") and not came:
            came.append(request)
            swap_pointer(storage_of(root), OTHER, base=None)

    s3.interfere = come
    with pytest.raises(LockedError):
        swap_pointer(storage_of(root), "20261124T000000Z-00000c", base=None)
    assert read_pointer(root) == OTHER
    assert store.has_conditions


def test_a_run_whose_lease_was_taken_loses_nothing(place: Path) -> None:
    slow = run(place)
    with slow.open() as writer:
        slow.stage(writer, [A])
        plan = writer.plan()
        with mock.patch.object(lease_module, "LEASE_S", new=0.0):
            other = Run(storage_of(place), now=NOW + HOUR)
            with other.open() as second:  # adopts what the slow one has staged
                other.stage(second, [B])
                closing = second.publish(second.plan(), record(other), now=NOW + HOUR)
        assert closing.snapshot is not None
        slow.storage.lease._renewed_at = 0.0  # type: ignore[attr-defined]  # as after a long sleep
        with pytest.raises(LockedError):
            writer.publish(plan, record(slow), now=NOW)
    assert contents(place) == expected([A, B])
    run(place).publish([A])
    assert contents(place) == expected([A, B])
    assert not [name for name in keys_below(place) if name.startswith("_staging/")]


def record(of: Run) -> RunRecord:
    return RunRecord(source="cluster-1", started_at=of.now, ended_at=of.now, exit_code=0)


def test_where_a_store_looks_at_no_conditions_that_is_said_and_leases_still_keep_others_out(
    root: Path, s3: S3Server
) -> None:
    s3.looks_at_conditions = False
    store = lock_of(root).store
    with mock.patch.object(store, "has_conditions", new=True):
        with mock.patch.object(LOGGER, "warning") as warning:
            held = lease(root)
        assert "let no two run at the same time" in warning.call_args.args[0]
        with pytest.raises(LockedError):
            lease(root)
        held.confirm()
        held.release()
        run(root).publish([A])
        assert contents(root) == expected([A])
