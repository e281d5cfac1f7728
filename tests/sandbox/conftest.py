from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
import requests
from elasticsearch import Elasticsearch
from elasticsearch.exceptions import GeneralAvailabilityWarning

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def send(
        self, method: str, sandbox: Sandbox, path: str, *, key: str | None = None, **more: Any
    ) -> requests.Response:
        headers = {"Authorization": f"ApiKey {sandbox.api_key if key is None else key}"} | more.pop("headers", {})
        return self.session.request(method, sandbox.url + path, headers=headers, timeout=30, **more)

    def get(self, sandbox: Sandbox, path: str, **more: Any) -> requests.Response:
        return self.send("GET", sandbox, path, **more)

    def post(self, sandbox: Sandbox, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.send("POST", sandbox, path, json=body, **more)

    def job(self, sandbox: Sandbox, job_id: str) -> requests.Response:
        return self.get(sandbox, f"/_connector/_sync_job/{job_id}")


@pytest.fixture
def client() -> Iterator[Client]:
    one = Client()
    yield one
    one.session.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., Elasticsearch]]:
    """Make official clients of a sandbox; all are closed at the end of the test."""
    opened: list[Elasticsearch] = []

    def start(sandbox: Sandbox, **more: Any) -> Elasticsearch:
        one = Elasticsearch(sandbox.url, **({"api_key": sandbox.api_key} | more))
        opened.append(one)
        return one

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GeneralAvailabilityWarning)  # the connector API is documented as beta
        yield start
    for one in opened:
        one.close()


@pytest.fixture(scope="session")
def error_body() -> Any:
    """Read an error body as Elasticsearch sent it."""
    return lambda name: json.loads((ERROR_BODIES / f"{name}.json").read_text(encoding="utf-8"))
