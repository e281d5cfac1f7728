from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from etl.errors import OutputError
from etl.load.pointer import read_pointer, settle_pointer, swap_pointer
from tests.load.conftest import HOUR, NOW, Job, Run, TracedStorage, assert_tidy, assert_whole, contents, expected

if TYPE_CHECKING:
    from etl.load.storage import Storage

ONE, TWO, THREE = (f"20261124T03500{n}Z-00000{n}" for n in (1, 2, 3))


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> dict[str, int | None]:
    """A file system whose links fail with the error numbers set here."""
    answers: dict[str, int | None] = {"symlink_to": None, "hardlink_to": None}

    def patched(name: str) -> None:
        real = getattr(Path, name)

        def call(self: Path, *args: Any, **options: Any) -> None:
            number = answers[name]
            if number is not None:
                raise OSError(number, "refused")
            real(self, *args, **options)

        monkeypatch.setattr(Path, name, call)

    for name in answers:
        patched(name)
    return answers


@pytest.fixture
def store(root: Path) -> Storage:
    for run_id in (ONE, TWO, THREE):
        (root / "snapshots" / run_id).mkdir(parents=True)
    return TracedStorage(root)


def test_nothing_is_published_in_an_empty_folder(root: Path) -> None:
    assert read_pointer(root) is None


def test_the_link_is_relative_and_swapped(store: Storage, root: Path) -> None:
    for run_id in (ONE, TWO):
        swap_pointer(store, run_id, base=None)
        assert read_pointer(root) == run_id
        assert (root / "latest").readlink() == Path("snapshots") / run_id
    assert not (root / "_latest.json").exists()


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_without_links_a_file_stands_for_it(
    store: Storage, root: Path, links: dict[str, int | None], number: int
) -> None:
    links["symlink_to"] = number
    for run_id in (ONE, TWO):
        swap_pointer(store, run_id, base=None)
        assert read_pointer(root) == run_id
    assert not (root / "latest").is_symlink()
    assert (root / "_latest.json").read_text() == f'{{"snapshot":"snapshots/{TWO}"}}'


def test_exactly_one_of_the_two_is_left_when_links_come_or_go(
    store: Storage, root: Path, links: dict[str, int | None]
) -> None:
    swap_pointer(store, ONE, base=None)
    links["symlink_to"] = errno.EPERM
    swap_pointer(store, TWO, base=None)
    assert (read_pointer(root), (root / "latest").is_symlink()) == (TWO, False)
    links["symlink_to"] = None
    swap_pointer(store, THREE, base=None)
    assert (read_pointer(root), (root / "_latest.json").exists()) == (THREE, False)
    assert (root / "latest").readlink().name == THREE


def test_where_both_are_left_the_file_counts(store: Storage, root: Path) -> None:
    swap_pointer(store, ONE, base=None)
    (root / "_latest.json").write_text(f'{{"snapshot": "snapshots/{TWO}"}}')
    assert read_pointer(root) == TWO
    settle_pointer(store)
    assert (read_pointer(root), (root / "latest").is_symlink()) == (TWO, False)


@pytest.mark.parametrize("content", ["", "{}", '{"snapshot": "elsewhere"}', '{"snapshot": 1}', "\udcff"])
def test_a_damaged_file_is_named_with_a_remedy(root: Path, content: str) -> None:
    root.mkdir()
    (root / "_latest.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(OutputError, match=r"_latest\.json: .*let it (hold|name)"):
        read_pointer(root)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_real_folder_or_file_in_the_links_place_is_named_with_a_remedy(root: Path, kind: str) -> None:
    root.mkdir()
    (root / "latest").mkdir() if kind == "folder" else (root / "latest").write_text("x")
    with pytest.raises(OutputError, match=r"latest: a file or folder of its own, .*; move it away"):
        read_pointer(root)


def test_a_link_to_elsewhere_is_named_with_a_remedy(root: Path) -> None:
    root.mkdir()
    (root / "latest").symlink_to("somewhere")
    with pytest.raises(OutputError, match="latest: links to somewhere, not to a snapshot"):
        read_pointer(root)


def test_a_link_to_a_snapshot_that_is_gone_is_named_with_a_remedy(storage: TracedStorage, root: Path) -> None:
    (root / "snapshots").mkdir(parents=True)
    (root / "latest").symlink_to(f"snapshots/{ONE}")
    with pytest.raises(OutputError, match=rf"{ONE}/_manifest\.json: cannot be read as a manifest: .*; restore it"):
        Run(storage).open()


def test_a_store_without_any_links_holds_a_whole_dataset(
    storage: TracedStorage, root: Path, links: dict[str, int | None]
) -> None:
    links |= {"symlink_to": errno.EPERM, "hardlink_to": errno.EPERM}
    jobs = [Job(id="a"), Job(id="b", created_at=NOW - 1000 * HOUR, rules=1)]
    Run(storage).publish(jobs)
    Run(storage, now=NOW + HOUR).publish([Job(id="c")])
    assert contents(root) == expected([*jobs, Job(id="c")])
    assert (root / "_latest.json").exists()
    assert_whole(root)
    assert_tidy(root)


def test_a_full_disk_is_not_taken_for_a_store_without_links(
    store: Storage, root: Path, links: dict[str, int | None]
) -> None:
    links["symlink_to"] = errno.ENOSPC
    with pytest.raises(OutputError, match="cannot make the symbolic link: refused; free space there"):
        swap_pointer(store, ONE, base=None)
    assert not (root / "_latest.json").exists()
