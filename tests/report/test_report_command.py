"""`etl report` as a person and as cron use it."""

from __future__ import annotations

import os
import stat
import sys
from importlib import util
from typing import TYPE_CHECKING, Any

import pytest
from commands import etl
from reports import parsed

from etl.errors import OutputError
from etl.load.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path


def test_a_page_is_written_and_named_by_its_full_path(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = etl("report", "--output", str(history))
    assert (ended.code, ended.err) == (0, "")
    assert f"written to {tmp_path / 'report.html'} (" in ended.out
    assert "report on 5,000 jobs of cluster-1" in ended.out
    assert parsed((tmp_path / "report.html").read_text()).text.startswith("Sync jobs of cluster-1")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_page_takes_the_place_of_the_last_one_and_can_be_read_by_others(history: Path, tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    page.parent.mkdir()
    page.write_text("old")
    before = os.umask(0o022)
    try:
        ended = etl("report", "--output", str(history), "--to", str(page), "--json", "--since", "30d")
    finally:
        os.umask(before)
    assert ended.summary == {
        "snapshot": "20261124T035000Z-000001",
        "source": "cluster-1",
        "file": str(page),
        "bytes": page.stat().st_size,
        "jobs": ended.summary["jobs"],
    }
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    assert [path.name for path in page.parent.iterdir()] == ["page.html"]


def test_a_page_goes_to_standard_output_and_the_summary_then_to_stderr(history: Path) -> None:
    ended = etl("report", "--output", str(history), "--to", "-", "--connector-id", "connector-001")
    assert ended.code == 0
    found = parsed(ended.raw.decode())
    assert [connector["id"] for connector in found.embedded["connectors"]] == ["connector-001"]
    assert "written to standard output" in ended.err


def test_quiet_says_nothing(history: Path, tmp_path: Path) -> None:
    ended = etl("report", "--output", str(history), "--to", str(tmp_path / "r.html"), "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_no_matching_job_is_a_warning(history: Path, tmp_path: Path) -> None:
    ended = etl("report", "--output", str(history), "--to", str(tmp_path / "r.html"), "--connector-id", "nobody")
    assert ended.code == 0
    assert "warning: no job matches" in ended.err


def test_a_missing_extra_is_named(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = util.find_spec
    monkeypatch.setattr("etl.settings.extras.find_spec", lambda name: None if name == "plotly" else real(name))
    ended = etl("report", "--output", str(history), "--to", str(tmp_path / "r.html"))
    assert ended.code == 2
    install = f"{sys.executable} -m pip install"
    assert f"needs plotly: install with {install} plotly, or in a checkout with {install} -e '.[report]'" in ended.err


@pytest.mark.parametrize("place", ["folder", "file/page.html", "missing/page.html", "output/page.html"])
def test_a_place_that_cannot_be_is_refused_with_a_remedy(history: Path, tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    to = history / "page.html" if place.startswith("output") else tmp_path / place
    ended = etl("report", "--output", str(history), "--to", str(to))
    assert ended.code == 2
    assert "name a" in ended.err
    assert not to.is_file()
    assert not (tmp_path / "missing").exists()


def test_no_dataset_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    ended = etl("report", "--output", str(tmp_path / "none"), "--to", str(tmp_path / "r.html"))
    assert ended.code == 74
    assert "make one with `etl run`" in ended.err
    assert not (tmp_path / "r.html").exists()


def test_a_full_disk_leaves_the_last_page_as_it_was(
    history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "r.html"
    page.write_text("old")

    def full(*_: Any, **__: Any) -> None:
        msg = "r.html: cannot write to the file: No space left on device"
        raise OutputError(msg)

    monkeypatch.setattr(Storage, "write_file", full)
    ended = etl("report", "--output", str(history), "--to", str(page))
    assert (ended.code, page.read_text()) == (74, "old")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
