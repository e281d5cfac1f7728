"""Sandboxes to walk, and a client that lets a test act between two requests."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from documents import compact

from etl.extract.client import Client
from etl.extract.filters import UNFINISHED
from etl.extract.retry import RetryPolicy
from etl.extract.walk.asking import Asking
from etl.extract.walk.course import WalkSettings
from etl.extract.walk.since import Mark, WalkSince
from etl.extract.walk.walk import Walk
from etl.extract.wire import Response
from etl.pipeline.times import time_of
from etl.sandbox.access import ApiKey
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import FULL_KEY, POOR_KEY, SandboxSettings
from etl.settings import Connection, Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from etl.extract.filters import JobFilters
    from etl.extract.walk.report import WalkReport
    from etl.model import Answer

LIST = "GET /_connector/_sync_job"
LISTED = "/_connector/_sync_job"
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
READER = ApiKey(id="reader", secret="reads-jobs-only", privileges=frozenset({"monitor_connector"}))


def at(minutes: float) -> str:
    """Return a time so many minutes after the first."""
    return (BEGIN + timedelta(minutes=minutes)).isoformat()


def doc(minutes: float | None = 0, *, connector: str | None = "c1", **fields: Any) -> dict[str, Any]:
    """Make a small finished job that was created so many minutes after the first; None leaves a field out."""
    document = {
        "status": "completed",
        "job_type": "full",
        "created_at": None if minutes is None else at(minutes),
        "connector": None if connector is None else {"id": connector},
        **fields,
    }
    return {name: value for name, value in document.items() if value is not None}


def admits(filters: JobFilters, document: Mapping[str, Any]) -> bool:
    """Tell whether filters admit a document that is not flat."""
    return filters.admits(
        connector_id=document.get("connector", {}).get("id"),
        job_type=document.get("job_type"),
        status=document.get("status"),
        created_at=time_of(document.get("created_at")),
    )


class TappedClient(Client):
    """A client that tells before and after each request.

    Attributes:
        asked: path and parameters of each request.
        before: called with the number of a request, from 1, its path and its parameters.
        instead: may answer in the place of the cluster; None where it does not.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.asked: list[tuple[str, dict[str, str | int]]] = []
        self.before: Callable[[int, str, Mapping[str, str | int]], None] = lambda *_: None
        self.instead: Callable[[str, Mapping[str, str | int]], Response | None] = lambda *_: None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        expires_at: float | None = None,
    ) -> Response:
        self.asked.append((path, dict(params or {})))
        self.before(len(self.asked), path, params or {})
        answer = self.instead(path, params or {})
        if answer is not None:
            return answer
        return super().request(method, path, params=params, body=body, expires_at=expires_at)


@dataclass(kw_only=True)
class Cluster:
    """A sandbox, and what asks it."""

    sandbox: Sandbox
    client: TappedClient
    stop: threading.Event = field(default_factory=threading.Event)

    def asking(self, **more: Any) -> Asking:
        policy = RetryPolicy(max_attempts=3, base_s=0.0, cap_s=0.0)
        return Asking(self.client, stop=self.stop, **{"policy": policy, **more})

    def walk(self, *, skips: Any = None, version: str | None = None, **settings: Any) -> Walk:
        asking = self.asking(version=version)
        return Walk(asking, WalkSettings(**settings), time_of=time_of, skips=skips)

    def walked(self, **settings: Any) -> tuple[list[Answer], WalkReport]:
        """Walk, and return all answers and the report."""
        walk = self.walk(**settings)
        return [answer for group in walk.answers() for answer in group], walk.report()


class Launch(Protocol):
    def __call__(
        self, documents: Any = None, *, key: ApiKey = ..., connection: Any = ..., **settings: Any
    ) -> Cluster: ...


def _launches() -> Iterator[Launch]:
    running: list[Cluster] = []

    def start(documents: Any = None, *, key: ApiKey = FULL_KEY, connection: Any = None, **settings: Any) -> Cluster:
        sandbox = Sandbox(SandboxSettings(documents=documents, api_keys=(FULL_KEY, READER, POOR_KEY), **settings))
        sandbox.start()
        client = TappedClient(Connection(url=sandbox.url, api_key=Secret(key.encoded), **(connection or {})))
        running.append(Cluster(sandbox=sandbox, client=client))
        return running[-1]

    yield start
    for cluster in running:
        cluster.client.close()
        cluster.sandbox.close()


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start sandboxes, each with a client; all are closed at the end of the test."""
    yield from _launches()


@pytest.fixture(scope="module")
def launch_once() -> Iterator[Launch]:
    """Start sandboxes that live as long as the module's tests."""
    yield from _launches()


HOUR = timedelta(hours=1)


@dataclass
class Dataset:
    """What an earlier run published.

    Attributes:
        rows: status, job type and connector of each job.
        unsettled: of these.
    """

    rows: dict[str, tuple[Any, Any, Any]] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, documents: Mapping[str, Any]) -> Dataset:
        made = cls()
        for job_id, job in documents.items():
            connector = job.get("connector", {}).get("id", job.get("connector_id"))
            made.rows[job_id] = (job.get("status"), job.get("job_type"), connector)
            if job.get("status") in UNFINISHED:
                made.unsettled.add(job_id)
        return made

    def settled(self, ids: Sequence[str]) -> list[bool]:
        return [job_id in self.rows and job_id not in self.unsettled for job_id in ids]

    def published(self, ids: Sequence[str]) -> list[bool]:
        return [job_id in self.rows for job_id in ids]

    def count(self, status: str | None, job_type: str | None, connector_id: str | None) -> int:
        wanted = (status, job_type, connector_id)
        return sum(
            all(wish in {None, value} for wish, value in zip(wanted, row, strict=True)) for row in self.rows.values()
        )


def since(
    cluster: Cluster, dataset: Dataset, watermark: datetime | None, overlap: timedelta = HOUR, **settings: Any
) -> tuple[set[str], WalkReport, WalkSince]:
    """Walk again, and return which jobs came."""
    assert watermark is not None
    cluster.client.asked.clear()
    walk = WalkSince(
        cluster.asking(),
        WalkSettings(**{"page_size": 20, **settings}),
        mark=Mark(watermark=watermark, overlap=overlap),
        known=dataset,
        time_of=time_of,
    )
    ids = [answer.id for group in walk.answers() for answer in group]
    assert len(ids) == len(set(ids))
    return set(ids), walk.report(), walk


def oldest_first(cluster: Cluster, window: int) -> None:
    """Let a cluster list as 8.12 does: the oldest first, those without a time last; up to a window of its own."""

    def instead(path: str, params: Mapping[str, str | int]) -> Response | None:
        if path != LISTED:
            return None
        everything = {name: value for name, value in params.items() if name not in {"from", "size"}}
        whole = Client.request(cluster.client, "GET", path, params={**everything, "from": 0, "size": 10_000})
        answer = json.loads(whole.body)
        dated = [job for job in answer.get("results", []) if "created_at" in job]
        undated = [job for job in answer.get("results", []) if "created_at" not in job]
        begin = int(params["from"])
        page = [*reversed(dated), *undated][begin : begin + int(params["size"])]
        body = compact({"count": min(answer["count"], window), "results": page})
        return Response(status=200, headers=whole.headers, body=body)

    cluster.client.instead = instead


def forbidden() -> Response:
    """Answer as a cluster does to one who lacks a privilege."""
    reason = "action [cluster:admin/xpack/connector/list] is unauthorized for API key id [k]"
    return Response(
        status=403,
        headers={},
        body=compact({"error": {"type": "security_exception", "reason": reason}, "status": 403}),
    )
