"""A dataset of two runs that lacks nothing, and copies of it to damage."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benches import Bench
from documents import job

from etl.check.verify import MOST_ROWS, Report, verify
from etl.cli.verify import command
from etl.load.layout import MANIFEST, Layout
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(kw_only=True)
class Copy:
    """A copy of a dataset; where rows are changed the manifest is too, so that only a look at the rows can tell.

    Attributes:
        root: the output folder.
        latest: run id of the published snapshot.
        parent: run id of the one before.
    """

    root: Path
    latest: str
    parent: str

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def snapshot(self) -> Path:
        return self.layout.snapshot(self.latest)

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.snapshot / MANIFEST).read_bytes())  # type: ignore[no-any-return]

    @manifest.setter
    def manifest(self, manifest: dict[str, Any]) -> None:
        (self.snapshot / MANIFEST).write_text(json.dumps(manifest))

    def change_manifest(self, change: Callable[[dict[str, Any]], object]) -> str:
        """Change the manifest of the published snapshot; return its path."""
        manifest = self.manifest
        change(manifest)
        self.manifest = manifest
        return self.name(self.snapshot / MANIFEST)

    def change_run(self, change: Callable[[dict[str, Any]], object], run_id: str | None = None) -> str:
        """Change the record of a run, by default of the last one; return its path."""
        path = self.layout.run(run_id or self.latest) / MANIFEST
        record = json.loads(path.read_bytes())
        change(record)
        path.write_text(json.dumps(record))
        return self.name(path)

    def name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def file(self, table: str, month: str | None = "2026-10") -> Path:
        entries = self.manifest["tables"][table]["files"]
        (path,) = (str(entry["path"]) for entry in entries if (entry["format"], entry["month"]) == ("parquet", month))
        return self.snapshot / path

    def csv(self, table: str) -> Path:
        return self.snapshot / f"{table}.csv"

    def rows(self, table: str, month: str | None = "2026-10") -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.file(table, month), partitioning=None).to_pylist()
        return rows

    def rewrite(self, table: str, change: Callable[[pa.Table], pa.Table], month: str | None = "2026-10") -> str:
        """Change a file's rows or columns, and let the manifest tell the new ones; return its path."""
        path = self.file(table, month)
        changed = change(pq.read_table(path, partitioning=None))
        pq.write_table(changed, path)
        self.adopt(path, changed.num_rows)
        return self.name(path)

    def change_rows(
        self, table: str, change: Callable[[list[dict[str, Any]]], object], month: str | None = "2026-10"
    ) -> str:
        """Change a file's rows as a list of dictionaries, in place."""

        def changed(rows: pa.Table) -> pa.Table:
            cells = rows.to_pylist()
            change(cells)
            return pa.Table.from_pylist(cells, schema=rows.schema)

        return self.rewrite(table, changed, month)

    def adopt(self, path: Path, rows: int | None = None) -> str:
        """Let the manifest tell what a file holds now; return its path."""
        content, manifest = path.read_bytes(), self.manifest
        for table in manifest["tables"].values():
            for entry in table["files"]:
                if entry["path"] == path.relative_to(self.snapshot).as_posix():
                    entry.update(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
                    entry["rows"] = entry["rows"] if rows is None else rows
            table["rows"] = sum(entry["rows"] for entry in table["files"] if entry["format"] == "parquet")
        self.manifest = manifest
        return self.name(path)

    def verify(self, *, everything: bool = False, most_rows: int = MOST_ROWS) -> Report:
        return verify(self.root, everything=everything, most_rows=most_rows)


def run_verify(*arguments: str) -> int:
    """Run the command and return its exit code."""
    return int(command.main(list(arguments), prog_name="etl verify", standalone_mode=False) or 0)


def _configuration(number: int) -> dict[str, Any]:
    return {
        "host": {"value": f"db-{number}.example.org", "order": 1, "type": "str", "tooltip": "where"},
        "password": {"value": "hunter2-hunter2", "sensitive": True, "order": 2},
        "port": {"value": 5432, "order": 3, "depends_on": [{"field": "host", "value": "x"}]},
        "empty": {"value": None},
    }


def _filtering() -> dict[str, Any]:
    rules: list[dict[str, Any]] = job()["connector"]["filtering"]["rules"]
    return {
        "advanced_snippet": {"value": {"a": 1}},
        "rules": [{**rules[0], "id": f"rule {number}", "order": number} for number in range(3)],
        "validation": {"errors": [{"ids": ["rule 1"], "messages": ["no\nsuch field", ""]}], "state": "invalid"},
    }


def documents() -> dict[str, Any]:
    """Jobs of three months and undated ones, with rows in all tables."""
    found: dict[str, Any] = {}
    for number in range(24):
        name = f"job {number:02}" if number % 5 else f'={number:02},"é'
        month = 8 + number % 3
        document = job(
            id=name,
            created_at=f"2026-{month:02}-{1 + number:02}T10:00:00.000001Z",
            error='no\nway, "really"' if number % 4 == 0 else None,
            total_document_count="many" if number % 7 == 0 else number,
            connector={"configuration": _configuration(number), "filtering": [_filtering()]},
        )
        if number in {5, 11}:
            del document["created_at"]
        found[name] = document
    return found


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of two runs that published; the second one took up the jobs that the first left out."""
    folder = tmp_path_factory.mktemp("sound")
    given = documents()
    with Sandbox(SandboxSettings(documents=given)) as sandbox:
        bench = Bench(folder=folder, documents=given, sandbox=sandbox)
        assert bench.run("--format", "parquet,csv", ids=list(given)[:-4]).code == 0
        assert bench.run(ids=[*given, "gone"]).code == 0
    return bench.output


def copy_of(root: Path, folder: Path) -> Copy:
    """Copy a dataset, its link as a link."""
    target = folder / "output"
    shutil.copytree(root, target, symlinks=True)
    latest = (target / "latest").readlink().name  # two runs of one second do not sort by their names
    (parent,) = {path.name for path in (target / "snapshots").iterdir()} - {latest}
    return Copy(root=target, latest=latest, parent=parent)


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Copy:
    """A copy to damage."""
    return copy_of(sound, tmp_path)
