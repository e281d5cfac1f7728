"""What all tests share: steady examples for properties, a sandbox whose documents a test chooses, and scripted servers.

Properties are tried on the same examples each time; HYPOTHESIS_PROFILE=explore looks for new ones, and more.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from benches import Bench
from documents import job
from hypothesis import HealthCheck, settings
from servers import ScriptedServer, Serving

from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

settings.register_profile(
    "steady", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of one run over 250 jobs, mostly generated ones; to be read only."""
    folder = tmp_path_factory.mktemp("published")
    documents = {id_of(number): generate_job(1, number) for number in range(248)}
    documents["failed"] = job(id="failed", status="error", error="ConnectorError: no", created_at="2026-10-02")
    documents["backwards"] = job(id="backwards", completed_at="2026-10-01T09:00:00Z")
    with Sandbox(SandboxSettings(documents=documents)) as sandbox:
        bench = Bench(folder=folder, documents=documents, sandbox=sandbox)
        assert bench.run().code == 0
    return bench.output


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


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    """Start scripted servers, also over TLS, that end with the test."""
    running: list[Serving] = []

    def start(context: ssl.SSLContext | None = None) -> ScriptedServer:
        running.append(Serving(context))
        return running[-1].server

    yield start
    for serving in running:
        serving.end()


@pytest.fixture
def server(serve: Callable[..., ScriptedServer]) -> ScriptedServer:
    return serve()
