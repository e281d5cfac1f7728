"""Clients of scripted servers, for the tests of this folder."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from etl.extract.client import Client
from etl.extract.retry import RetryPolicy
from etl.settings import Connection, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NOW = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)


def job(job_id: str, **more: Any) -> dict[str, Any]:
    return {"id": job_id, "status": "completed", **more}


@pytest.fixture(params=[Transport.REQUESTS, Transport.CURL], ids=str)
def transport(request: pytest.FixtureRequest) -> Transport:
    """Return what carries requests; all behaviour is that of both."""
    return Transport(request.param)


@pytest.fixture
def connect(transport: Transport) -> Iterator[Callable[..., Client]]:
    """Make clients that are closed with the test."""
    clients: list[Client] = []

    def make(url: str, **settings: Any) -> Client:
        given = {"concurrency": 2, "read_timeout_s": 5.0, "transport": transport, **settings}
        clients.append(Client(Connection(url=url, **given)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def free_port() -> int:
    """Return a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def quick() -> RetryPolicy:
    """Return a policy whose waits cost no time."""
    return RetryPolicy(max_attempts=3, base_s=0.0, cap_s=0.0)
