"""`etl verify`: what it prints, how it ends, and what it leaves unsaid."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from etl.check import verify as verify_module
from etl.check.findings import Kind
from etl.check.snapshot import check_snapshot
from etl.check.verify import verify
from etl.errors import OutputError
from etl.load.layout import MANIFEST
from tests.check.conftest import Copy, run_verify

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def test_a_sound_dataset_is_one_line_and_exit_0(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verify("--output", str(sound)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "7 tables, 34 files, 268 rows checked: no problem",
        "of 1 older snapshot only the sizes; --all checks them in full",
    ]


def test_a_dataset_of_documents_in_all_shapes_is_sound(published: Path) -> None:
    report = verify(published)

    assert (report.problems, report.notes) == ((), ())


def test_quiet_says_nothing_unless_something_is_wrong(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    (copy.root / "notes.txt").touch()
    assert run_verify("--output", str(copy.root), "--quiet") == 0
    assert capsys.readouterr().out == ""

    (copy.snapshot / "extra.csv").touch()
    assert run_verify("--output", str(copy.root), "-q") == 5
    told = capsys.readouterr().out
    assert "extra.csv: a file that the manifest does not name" in told
    assert "notes.txt" not in told


def test_it_is_checked_where_the_environment_says(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ETL_OUTPUT", str(copy.root))

    assert run_verify("--json") == 0
    assert json.loads(capsys.readouterr().out)["folder"] == str(copy.root)


def test_all_looks_into_older_snapshots_too(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    path = next((copy.layout.snapshot(copy.parent) / "connectors").iterdir())
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)

    assert run_verify("--output", str(copy.root), "--json") == 0
    assert json.loads(capsys.readouterr().out)["counts"]["snapshots_by_size"] == 1
    assert run_verify("--output", str(copy.root), "--json", "--all") == 5

    report = json.loads(capsys.readouterr().out)
    (finding,) = report["findings"]
    assert (finding["kind"], finding["path"]) == ("hash", copy.name(path))
    assert "move snapshots/" in finding["detail"]
    counts = report["counts"]
    assert (counts["problems"], counts["snapshots"], counts["snapshots_by_size"], counts["runs"]) == (1, 2, 0, 2)


def test_many_rows_of_a_file_are_one_finding(copy: Copy) -> None:
    copy.change_rows("connector_configuration", lambda rows: [row.update(depends_on_json="x") for row in rows])

    (finding,) = copy.verify().problems

    number = len(copy.rows("connector_configuration"))
    assert finding.detail.startswith(f"depends_on_json holds no JSON text in {number} rows (the first: job_id '")


def test_the_remedy_names_the_parent_where_there_is_one(copy: Copy) -> None:
    copy.file("filtering").unlink()
    assert f"link `latest` to its parent snapshots/{copy.parent}" in copy.verify().problems[0].detail

    shutil.rmtree(copy.layout.snapshot(copy.parent))
    (finding,) = copy.verify().problems
    assert "fetch all ids again into another --output" in finding.detail


def test_a_dangling_pointer_names_what_it_could_lead_to(copy: Copy) -> None:
    shutil.rmtree(copy.snapshot)

    report = copy.verify()

    assert [finding.kind for finding in report.problems] == [Kind.POINTER]
    assert f"link it to snapshots/{copy.parent}" in report.problems[0].detail
    assert (report.snapshot, report.tables, report.rows, report.by_size) == (None, 0, 0, 1)


def test_a_pointer_file_serves_as_well_as_a_link(copy: Copy) -> None:
    copy.layout.link.unlink()
    copy.layout.pointer.write_text(json.dumps({"snapshot": f"snapshots/{copy.latest}"}))

    assert copy.verify().is_sound


@pytest.mark.parametrize("folder", ["", "snapshots", "runs"])
def test_without_a_dataset_it_says_how_to_make_one(folder: str, tmp_path: Path) -> None:
    (tmp_path / folder).mkdir(exist_ok=True)

    with pytest.raises(OutputError, match="etl demo"):
        run_verify("--output", str(tmp_path))


def test_a_folder_that_is_not_there_is_no_dataset(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no dataset is published here"):
        verify(tmp_path / "nowhere")


def test_a_folder_that_cannot_be_read_is_an_error_of_the_output(copy: Copy) -> None:
    shutil.rmtree(copy.layout.runs)
    copy.layout.runs.touch()

    with pytest.raises(OutputError, match="runs: cannot be read"):
        copy.verify()


def test_a_first_snapshot_that_nobody_was_led_to_is_no_published_dataset(copy: Copy) -> None:
    copy.layout.link.unlink()
    shutil.rmtree(copy.snapshot)
    copy.change_run(lambda record: record.update(state="publishing"), copy.parent)
    copy.layout.batch(copy.parent, 0).mkdir(parents=True)

    with pytest.raises(OutputError, match="no dataset is published here"):
        copy.verify()


def test_a_lost_link_is_told_also_where_the_records_of_runs_are_lost(copy: Copy) -> None:
    copy.layout.link.unlink()
    shutil.rmtree(copy.layout.runs)
    assert [finding.kind for finding in copy.verify().problems] == [Kind.POINTER]

    shutil.rmtree(copy.snapshot)
    assert [finding.kind for finding in copy.verify().problems] == [Kind.POINTER]


def test_what_dead_runs_left_and_what_is_foreign_are_notes(copy: Copy, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = "20261124T035000Z-3f9a1c"
    (copy.root / "README").touch()
    (copy.root / "runs" / "old").mkdir()
    (copy.root / "snapshots" / f".{run_id}.tmp").mkdir()
    (copy.root / "_staging" / run_id / "0").mkdir(parents=True)
    (copy.root / ".latest.tmp").symlink_to(f"snapshots/{run_id}")
    record = copy.change_run(lambda record: record.update(state="publishing"))

    assert run_verify("--output", str(copy.root)) == 0

    lines = capsys.readouterr().out.splitlines()
    assert {line.split(": ")[1] for line in lines if line.startswith("note: ")} == {
        "README",
        "runs/old",
        f"snapshots/.{run_id}.tmp",
        f"_staging/{run_id}",
        ".latest.tmp",
        record,
    }


def test_an_empty_lock_file_and_none_are_fine(copy: Copy) -> None:
    copy.layout.lock.write_bytes(b"")
    assert copy.verify().is_sound
    copy.layout.lock.unlink()
    assert copy.verify().is_sound


def test_a_record_that_was_pruned_is_not_missed(copy: Copy) -> None:
    shutil.rmtree(copy.layout.run(copy.latest))

    report = copy.verify()

    assert (report.problems, report.runs) == ((), 1)


def test_what_a_run_prunes_meanwhile_is_not_missed(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def prune_first(layout: Any, run_id: str, *given: Any, **more: Any) -> Any:
        if run_id == copy.parent:
            shutil.rmtree(layout.snapshot(run_id))
        return check_snapshot(layout, run_id, *given, **more)

    monkeypatch.setattr(verify_module, "check_snapshot", prune_first)

    report = copy.verify()

    assert (report.problems, report.by_size) == ((), 0)


def test_a_snapshot_superseded_and_pruned_meanwhile_is_checked_anew(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.snapshot.rename(copy.root / "later")
    copy.layout.link.unlink()
    copy.layout.link.symlink_to(f"snapshots/{copy.parent}")

    def publish_first(layout: Any, run_id: str, *given: Any, **more: Any) -> Any:
        if run_id == copy.parent and (copy.root / "later").exists():
            (copy.root / "later").rename(copy.snapshot)
            copy.layout.link.unlink()
            copy.layout.link.symlink_to(f"snapshots/{copy.latest}")
            shutil.rmtree(layout.snapshot(run_id))
        return check_snapshot(layout, run_id, *given, **more)

    monkeypatch.setattr(verify_module, "check_snapshot", publish_first)

    report = copy.verify()

    assert (report.problems, report.snapshot, report.rows) == ((), copy.latest, 268)


def test_damaged_jobs_do_not_make_every_other_row_an_orphan(copy: Copy) -> None:
    copy.file("sync_jobs").unlink()

    assert [finding.kind for finding in copy.verify().problems] == [Kind.MISSING]


def test_nothing_is_changed_by_looking(copy: Copy) -> None:
    (copy.snapshot / MANIFEST).with_name("extra").touch()

    def state() -> dict[str, tuple[int, int]]:
        return {copy.name(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in copy.root.rglob("*")}

    before = state()
    assert not copy.verify(everything=True).is_sound
    assert state() == before
