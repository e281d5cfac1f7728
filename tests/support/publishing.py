"""Publishes again and again, each time with its own number in every row, while readers look."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches import Bench
from documents import job
from readers import JOBS

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable

_READER = Path(__file__).with_name("readers.py")


def numbered(number: int) -> dict[str, Any]:
    """Running jobs in four months, all with one number."""
    return {
        f"job-{n}": job(
            id=f"job-{n}",
            status="in_progress",
            created_at=f"2026-{7 + n % 4:02}-01T00:00:00Z",
            indexed_document_count=number,
            connector={"language": str(number)},
        )
        for n in range(JOBS)
    }


def publish_under_readers(folder: Path, *, readers: int, goes_on: Callable[[int], bool]) -> tuple[int, Counter[str]]:
    """Publish while readers loop in programs of their own.

    Args:
        folder: empty.
        readers: programs that read.
        goes_on: told the number of publishes so far; false ends it.

    Returns:
        The number of publishes, and what the readers saw.
    """
    documents = numbered(0)
    stop = folder / "stop"
    seen: Counter[str] = Counter()
    with Sandbox(SandboxSettings(documents=documents)) as sandbox, ExitStack() as programs:
        bench = Bench(folder=folder, documents=documents, sandbox=sandbox)
        assert bench.run("-q").code == 0
        running = [
            programs.enter_context(
                subprocess.Popen(
                    [sys.executable, str(_READER), str(bench.output), str(stop)], stdout=subprocess.PIPE, text=True
                )
            )
            for _ in range(readers)
        ]
        publishes = 1
        while goes_on(publishes):
            documents.update(numbered(publishes))
            ended = bench.run("-q")
            assert (ended.code, ended.summary["snapshot"] is not None) == (0, True), ended.err
            publishes += 1
        stop.touch()
        for program in running:
            out, _ = program.communicate()
            assert program.returncode == 0
            seen.update(json.loads(out))
    return publishes, seen
