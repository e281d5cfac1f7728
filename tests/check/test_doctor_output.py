"""The doctor on the output folder: what is wrong is told, and nothing is changed."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from commands import etl
from documents import job
from examinations import assert_wrong, detail, examined, of, states

from etl.load.lock import DatasetLock
from etl.load.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benches import MakeBench


NOBODY = 65534


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode, path.lstat().st_mtime_ns, b"" if path.is_dir() else path.read_bytes(),
        )
        for path in folder.rglob("*")
    }  # fmt: skip


def test_nothing_is_changed_in_the_output_nor_is_one_made(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    absent = of(bench)
    assert not bench.output.exists()
    bench.run()
    before = tree(bench.output)

    present = of(bench)

    assert (absent.code, present.code) == (0, 0)
    assert "is not there yet" in detail(absent, "output")
    assert tree(bench.output) == before


def test_the_file_that_is_tried_is_private(make: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make({"a": job(id="a")})
    bench.output.mkdir()
    seen: list[tuple[str, int]] = []
    close = os.close

    def watched(descriptor: int) -> None:
        seen.extend((path.name, path.stat().st_mode & 0o777) for path in bench.output.iterdir())
        close(descriptor)

    monkeypatch.setattr("etl.check.doctor_output.os.close", watched)
    before = os.umask(0)
    try:
        of(bench)
    finally:
        os.umask(before)

    assert [(name[:12], mode) for name, mode in seen if name.startswith(".etl-doctor-")][:1] == [
        (".etl-doctor-", 0o600)
    ]
    assert list(bench.output.iterdir()) == []


@contextmanager
def closed(part: str) -> Iterator[Path]:
    """Make an output folder of which a part may not be written, and work as an account to which permissions apply."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    (folder / part).mkdir(exist_ok=True)
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, -1)
        os.chown(folder / part, NOBODY, -1)
    (folder / part).chmod(0o555)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        (folder / part).chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("part", [".", "runs", "snapshots", "_staging"])
def test_an_output_that_cannot_be_written(make: MakeBench, part: str) -> None:
    bench = make({"a": job(id="a")})
    with closed(part) as folder:
        ended = examined(bench.sandbox.url, folder)

    assert_wrong(ended, "output", str(folder), "Permission denied", "give this account the right to write there")
    assert states(ended)["lock"] == "skipped"


def test_a_file_in_the_place_of_a_folder_of_the_output(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.output.mkdir()
    (bench.output / "runs").write_text("")

    assert_wrong(of(bench), "output", "runs: cannot create the file: there is something that is no folder")


def test_another_run_that_holds_the_lock_and_its_name_stays_in_the_file(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    lock = DatasetLock.acquire(Storage(bench.output), run_id="20261124T000000Z-aaaaaa", now=datetime.now(UTC))
    held = (bench.output / "_lock").read_bytes()
    try:
        ended = of(bench)
    finally:
        lock.release()

    assert_wrong(ended, "lock", "run 20261124T000000Z-aaaaaa on host", "wait for it to end")
    assert (bench.output / "_lock").read_bytes() == held
    assert of(bench).code == 0


def test_a_dataset_of_another_cluster(make: MakeBench) -> None:
    make({"a": job(id="a")}, cluster_uuid="cluster-one").run()

    ended = of(make({"a": job(id="a")}, cluster_uuid="cluster-two"))

    assert_wrong(ended, "dataset", "holds sync jobs of cluster-one, not of cluster-two; choose another --output")


def test_the_demos_data_are_a_warning(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    etl("demo", "--output", str(bench.output))

    ended = of(bench)

    assert (ended.code, states(ended)["dataset"]) == (0, "warning")
    assert "the first real run replaces them" in detail(ended, "dataset")


def test_a_damaged_dataset(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    damaged = next((bench.output / "latest" / "sync_jobs").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    cut = of(bench)
    (bench.output / "latest").unlink()
    (bench.output / "latest").mkdir()
    no_link = of(bench)

    assert_wrong(cut, "dataset", damaged.name, "`etl verify` tells all of it")
    assert_wrong(no_link, "dataset", "not a link to a snapshot", "link it to the newest folder")
    assert states(no_link)["lock"] == "ok"


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "wrong"), (100 << 20, "warning"), (1 << 40, "ok")])
def test_space(make: MakeBench, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    bench = make({"a": job(id="a")})
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    ended = of(bench)

    assert states(ended)["space"] == state
    assert ended.code == (5 if state == "wrong" else 0)
