from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import requests

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

ERROR_BODIES = Path(__file__).parent / "error_bodies"


class Launch(Protocol):
    def __call__(self, **settings: Any) -> Sandbox: ...


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start sandboxes with these settings; all are closed at the end of the test."""
    started: list[Sandbox] = []

    def start(**settings: Any) -> Sandbox:
        sandbox = Sandbox(SandboxSettings(**settings))
        sandbox.start()
        started.append(sandbox)
        return sandbox

    yield start
    for sandbox in started:
        sandbox.close()


class Client:
    """What a careful script would use: one session, the key in a header, no environment."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, sandbox: Sandbox, path: str, *, key: str | None = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"ApiKey {sandbox.api_key if key is None else key}"}
        return self.session.get(sandbox.url + path, headers=headers | more.pop("headers", {}), timeout=30, **more)

    def job(self, sandbox: Sandbox, job_id: str) -> requests.Response:
        return self.get(sandbox, f"/_connector/_sync_job/{job_id}")


@pytest.fixture
def client() -> Iterator[Client]:
    one = Client()
    yield one
    one.session.close()


@pytest.fixture(scope="session")
def error_body() -> Any:
    """Read an error body as Elasticsearch sent it."""
    return lambda name: json.loads((ERROR_BODIES / f"{name}.json").read_text(encoding="utf-8"))
