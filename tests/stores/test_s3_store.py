"""The requests that datasets are built of, one by one, on an S3 over loopback."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import random
from functools import partial
from typing import TYPE_CHECKING
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from stores import BUCKET, SECRET, Interference, fresh_stores

from etl.check.diagnosis import State
from etl.check.doctor_store import StoreDoctor
from etl.load.objects import reading
from etl.load.objects import s3 as s3_module
from etl.load.objects.s3 import S3Store
from etl.load.objects.store import StoreError
from etl.load.place import for_arrow, in_store, located, storage_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stores import Request, S3Server

    from etl.load.objects.path import ObjectPath


@pytest.fixture
def address(root: Path) -> ObjectPath:
    found = in_store(root)
    assert found is not None
    return found


@pytest.fixture
def store(address: ObjectPath) -> S3Store:
    assert isinstance(address.store, S3Store)
    return address.store


def key(address: ObjectPath, name: str) -> str:
    return f"{address.prefix}{name}"


def test_an_object_is_what_was_put(store: S3Store, address: ObjectPath) -> None:
    name = key(address, "a b/ü+%.json")
    assert store.size(name) is None
    store.put(name, b"one")
    assert (store.size(name), store.read(name), store.read_part(name, 1, 1)) == (3, b"one", (b"n", 3))
    assert list(store.below(address.prefix)) == [name]
    assert [entry.name for entry in store.entries(address.prefix)] == ["a b"]
    store.put(name, b"")
    assert (store.size(name), store.read(name), store.read_part(name, 0, 10)) == (0, b"", (b"", 0))


def test_folders_are_what_keys_have_in_common(store: S3Store, root: Path, address: ObjectPath) -> None:
    assert (root.exists(), list(root.iterdir())) == (False, [])
    for name in ("one", "snapshots/x/_manifest.json", "snapshots/x/t/f", "snapshots/y/t/f"):
        store.put(key(address, name), b"1")
    snapshots = root / "snapshots"
    assert [path.name for path in sorted(root.iterdir())] == ["one", "snapshots"]
    assert (snapshots.is_dir(), snapshots.is_file(), (root / "one").is_dir(), (root / "on").exists()) == (
        True, False, False, False,
    )  # fmt: skip
    assert address.__truediv__("snapshots").folders_with("_manifest.json") == {"x"}
    store.delete([key(address, "one"), key(address, "never")])
    assert not (root / "one").exists()


def test_long_listings_are_read_to_their_end(
    store: S3Store, address: ObjectPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {f"{number:04}" for number in range(11)}
    for name in names:
        store.put(key(address, name), b"")
    monkeypatch.setattr(store, "_pages", partial(store._pages, MaxKeys=4))
    monkeypatch.setattr(s3_module, "_MOST_DELETED", 4)
    assert {entry.name for entry in store.entries(address.prefix)} == names
    store.delete(store.below(address.prefix))
    assert not store.has_below(address.prefix)


def test_a_condition_holds_until_the_object_is_written(store: S3Store, address: ObjectPath) -> None:
    name = key(address, "_latest.json")
    assert store.put_if(name, b"gone", '"no such tag"') is None
    first = store.put_if(name, b"first", None)
    assert first is not None
    assert store.put_if(name, b"second", None) is None
    second = store.put_if(name, b"second", first)
    assert second is not None
    assert store.put_if(name, b"third", first) is None
    tagged = store.read_tagged(name)
    assert (tagged.content, tagged.tag, tagged.age_s < 60) == (b"second", second, True)


def test_a_write_whose_answer_was_lost_is_known_again(store: S3Store, address: ObjectPath, s3: S3Server) -> None:
    left = [1]

    def lose(request: Request) -> Interference | None:
        if request.method == "PUT" and left:
            left.pop()
            return Interference(status="503 Slow Down", code="SlowDown", is_done=True)
        return None

    s3.interfere = lose
    tag = store.put_if(key(address, "_latest.json"), b"mine", None)

    assert tag is not None
    assert store.read_tagged(key(address, "_latest.json")).tag == tag


@pytest.mark.parametrize("says_so", [True, False])
def test_a_store_without_conditions_is_found_out(
    store: S3Store, address: ObjectPath, s3: S3Server, *, says_so: bool
) -> None:
    with mock.patch.object(store, "has_conditions", new=True):
        if says_so:
            refusal = Interference(status="501 Not Implemented", code="NotImplemented")
            s3.interfere = lambda request: refusal if request.conditional else None
            first = store.put_if(key(address, "one"), b"first", None)
            assert (store.has_conditions, first is not None) == (False, True)
        else:
            s3.looks_at_conditions = False
            first = store.put_if(key(address, "one"), b"first", None)
            assert store.put_if(key(address, "one"), b"second", None) is not None, "who asks can tell by that"


def test_the_store_copies_and_large_objects_in_pieces(store: S3Store, address: ObjectPath, s3: S3Server) -> None:
    store.put(key(address, "one"), b"one")
    store.copy(key(address, "one"), key(address, "a b/two"))
    left = [1]

    def too_large(request: Request) -> Interference | None:
        if request.copies and left:
            left.pop()
            return Interference(status="400 Bad Request", code="InvalidRequest")
        return None

    s3.interfere = too_large
    store.copy(key(address, "a b/two"), key(address, "three"))
    assert (store.read(key(address, "three")), left) == (b"one", [])
    with pytest.raises(FileNotFoundError):
        store.copy(key(address, "never"), key(address, "four"))


def test_large_files_go_in_pieces_and_are_read_by_windows(
    store: S3Store, root: Path, address: ObjectPath, s3: S3Server
) -> None:
    content = random.Random(1).randbytes(18 << 20)  # noqa: S311 - any bytes
    path = root / "large"
    store.put_file(key(address, "large"), io.BytesIO(content), len(content))
    assert sum(request.method == "POST" for request in s3.asked()) == 2  # the beginning and the end of the pieces

    with path.open("rb") as opened:
        assert hashlib.file_digest(opened, "sha256").digest() == hashlib.sha256(content).digest()
        opened.seek(-5, os.SEEK_END)
        assert opened.read() == content[-5:]
        opened.seek(7)
        assert opened.read(3) == content[7:10]
        assert opened.read(9 << 20) == content[10 : (9 << 20) + 10]
    assert len(s3.asked()) < 12


def read(path: Path) -> pa.Table:
    with pq.ParquetFile(for_arrow(path), pre_buffer=False) as file:
        return pa.Table.from_batches(file.iter_batches(batch_size=2_000, use_threads=False))


def test_a_large_file_that_is_broken_off_leaves_nothing(store: S3Store, address: ObjectPath, s3: S3Server) -> None:
    parts: list[Request] = []

    def refuse_the_second(request: Request) -> Interference | None:
        parts.extend([request] if request.method == "PUT" else [])
        return refused("403 Forbidden", "AccessDenied")(request) if len(parts) == 2 else None

    s3.interfere = refuse_the_second
    with pytest.raises(StoreError, match="grant this account"):
        store.put_file(key(address, "large"), io.BytesIO(bytes(9 << 20)), 9 << 20)
    s3.interfere = lambda _: None
    assert s3.asked()[-1].method == "DELETE"  # of the pieces
    assert store.size(key(address, "large")) is None


def test_parquet_is_read_by_few_requests(root: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    table = pa.table({f"c{n}": list(range(n, 20_000 + n)) for n in range(20)})
    with storage_of(root).create(root / "t.parquet") as file:
        pq.write_table(table, file, row_group_size=2_000)
    s3.asked()
    path = root / "t.parquet"
    assert read(path).equals(table)
    assert len(s3.asked()) == 1
    monkeypatch.setattr(reading, "WINDOW_BYTES", 256 << 10)
    assert read(path).equals(table)
    assert len(s3.asked()) < path.stat().st_size // (256 << 10) + 6


def test_nothing_is_there_before_a_file_is_closed_and_nothing_of_one_that_failed(root: Path) -> None:
    path = root / "file"
    with storage_of(root).create(path) as file:
        file.write(b"x" * (2 << 20))
        assert not path.exists()
    assert path.stat().st_size == 2 << 20

    failed = storage_of(root).create(root / "failed")
    failed.write(b"x" * (2 << 20))
    failed.abandon()
    failed.close()
    assert not (root / "failed").exists()


def test_paths_and_storages_travel_without_credentials(root: Path) -> None:
    sent = pickle.dumps([root, storage_of(root)])
    assert len(sent) < 500
    assert SECRET.encode() not in sent
    path, storage = pickle.loads(sent)  # noqa: S301 - written above
    assert (path, storage.layout.root) == (root, root)


def test_an_answer_that_breaks_off_is_asked_for_again(store: S3Store, address: ObjectPath, s3: S3Server) -> None:
    name, content = key(address, "one"), bytes(100_000)
    store.put(name, content)
    left = [1, 2]
    s3.interfere = lambda request: (
        Interference(is_cut=True) if request.method == "GET" and left and left.pop() else None
    )
    assert store.read(name) == content
    assert not left

    s3.interfere = lambda _: Interference(is_cut=True)
    with pytest.raises(StoreError, match="cannot be asked"):
        store.read(name)


def test_an_object_that_cannot_be_removed_is_named(store: S3Store, address: ObjectPath, s3: S3Server) -> None:
    error = "<Error><Key>x/one</Key><Code>AccessDenied</Code><Message>no</Message></Error>"
    s3.interfere = lambda _: Interference(body=f"<DeleteResult>{error}</DeleteResult>")
    with pytest.raises(StoreError, match=r"x/one: cannot be removed \(AccessDenied\); grant this account"):
        store.delete([key(address, "one")])


def test_the_doctor_tells_what_a_store_cannot_do(root: Path, store: S3Store, s3: S3Server) -> None:
    doctor = StoreDoctor(root, None)
    assert [check.told.state for check in doctor.checks()] == [State.OK] * 4
    with mock.patch.object(store, "has_conditions", new=True):
        s3.looks_at_conditions = False
        first = next(doctor.checks())
        assert (first.told.state, "let no two runs meet there" in first.told.detail) == (State.WARNING, True)
    s3.refuse(lambda request: request.method == "PUT")
    first = next(doctor.checks())
    assert (first.told.state, "grant this account" in first.told.detail) == (State.WRONG, True)
    assert not root.exists()


def refused(status: str, code: str) -> Callable[[Request], Interference]:
    return lambda _: Interference(status=status, code=code)


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("403 Forbidden", "AccessDenied", "grant this account s3:ListBucket"),
        ("403 Forbidden", "InvalidAccessKeyId", "does not take the credentials"),
        ("403 Forbidden", "ExpiredToken", "does not take the credentials"),
        ("403 Forbidden", "RequestTimeTooSkewed", "set it by NTP"),
        ("400 Bad Request", "IllegalLocationConstraintException", "in another region"),
        ("404 Not Found", "NoSuchBucket", "there is no such bucket"),
        ("400 Bad Request", "InvalidRequest", "see the store's own log"),
    ],
)
def test_what_a_store_refuses_is_said_with_the_remedy(
    store: S3Store, address: ObjectPath, s3: S3Server, status: str, code: str, said: str
) -> None:
    s3.interfere = refused(status, code)
    with pytest.raises(StoreError, match=said) as refusal:
        store.read(key(address, "x"))
    assert str(refusal.value).startswith(f"s3://{address.prefix}x: ")
    with pytest.raises(StoreError):
        store.put(key(address, "x"), b"")


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no credentials for the store"),
        ({"AWS_PROFILE": "no-such"}, "no credentials for the store"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, "check AWS_ENDPOINT_URL"),
    ],
)
def test_what_is_missing_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, s3: S3Server, env: dict[str, str | None], said: str
) -> None:
    del s3
    for name, value in env.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    with fresh_stores(), pytest.raises(StoreError, match=said) as refusal:
        (located(f"s3://{BUCKET}/x") / "y").read_bytes()
    assert SECRET not in str(refusal.value)


@pytest.mark.slow
def test_a_store_that_nobody_runs_is_said_to_be_out_of_reach(monkeypatch: pytest.MonkeyPatch, s3: S3Server) -> None:
    del s3
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with fresh_stores(), pytest.raises(StoreError, match="cannot be reached"):
        located(f"s3://{BUCKET}/x").exists()
