"""One S3 for all tests of a module; each test has a prefix of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents import job
from stores import BUCKET, S3Server, s3_server

from etl.load.place import located

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from benches import Bench, MakeBench


@pytest.fixture(scope="module")
def module_s3() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(module_s3: S3Server) -> Iterator[S3Server]:
    module_s3.requests.clear()
    yield module_s3
    module_s3.looks_at_conditions = True
    module_s3.interfere = lambda _: None


@pytest.fixture
def output(s3: S3Server, request: pytest.FixtureRequest) -> str:
    """An address that no other test uses."""
    del s3
    return f"s3://{BUCKET}/{abs(hash(request.node.nodeid)):x}"


@pytest.fixture
def root(output: str) -> Path:
    return located(output)


def history() -> dict[str, Any]:
    """Settled jobs in three months."""
    return {
        f"job-{n:02}": job(id=f"job-{n:02}", created_at=f"2026-{7 + n % 3:02}-{1 + n:02}T10:00:00Z") for n in range(12)
    }


@pytest.fixture
def bench(make: MakeBench, output: str) -> Bench:
    made = make(history())
    made.env["ETL_OUTPUT"] = output
    return made
