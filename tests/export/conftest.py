"""A dataset of many months, read once with pandas and exported in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest
from benches import Bench
from documents import job

from etl.cli import main
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = ["=1+1", "", " ", "a,b", 'say "hi"', "two\nlines", "é ü 漢字 😀", "null", "007", "-5", "'=1", "\\N", "\u2028"]


@pytest.fixture(scope="session", autouse=True)
def _command() -> Iterator[None]:
    """Let `etl` know the command, wherever it stands in the list."""
    with mock.patch.dict(main.COMMANDS, {"export": "Write hand-over files."}):
        yield


@pytest.fixture(scope="session")
def varied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a dataset with jobs of many months, undated ones and odd texts; to be read only."""
    folder = tmp_path_factory.mktemp("varied")
    documents = {id_of(number): generate_job(5, number) for number in range(300)}
    for number, text in enumerate(TEXTS):
        odd = job(id=f"odd-{number}", status="error", error=text, created_at=f"2026-{1 + number % 9:02}-01T00:00:00Z")
        odd["connector"]["filtering"]["validation"] = {
            "state": "invalid",
            "errors": [{"ids": [text, None], "messages": text}],
        }
        documents[odd["id"]] = odd
    for number in range(4):
        undated = job(id=f"undated-{number}", status="pending", connector={"id": f"conn-{number % 2}"})
        del undated["created_at"]
        documents[undated["id"]] = undated
    with Sandbox(SandboxSettings(documents=documents)) as sandbox:
        bench = Bench(folder=folder, documents=documents, sandbox=sandbox)
        assert bench.run().code == 0
    return bench.output
