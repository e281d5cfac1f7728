"""A sandbox whose documents a test chooses, and the command line against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from benches import Bench

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Make a bench; arguments are settings of the sandbox."""
    running: list[Sandbox] = []

    def bench(documents: dict[str, Any], **settings: Any) -> Bench:
        sandbox = Sandbox(SandboxSettings(documents=documents, **settings))
        sandbox.start()
        running.append(sandbox)
        return Bench(folder=tmp_path, documents=documents, sandbox=sandbox)

    yield bench
    for sandbox in running:
        sandbox.close()
