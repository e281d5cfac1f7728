"""The official client reads the sandbox without complaint: it is the judge of what the sandbox imitates."""

from __future__ import annotations

from typing import Any

import pytest
from elasticsearch import (
    ApiError,
    AuthenticationException,
    AuthorizationException,
    BadRequestError,
    NotFoundError,
)

from etl.sandbox.faults import Faults
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import MISSING_FROM, id_of
from etl.sandbox.settings import POOR_KEY, SEED


def test_it_reads_the_root_and_pings(launch: Any, connect: Any) -> None:
    one = connect(launch())
    assert one.info()["version"]["number"] == "9.1.0"
    assert one.ping()


def test_it_reads_jobs(launch: Any, connect: Any) -> None:
    one = connect(launch())
    for number in range(30):
        answer = one.connector.sync_job_get(connector_sync_job_id=id_of(number))
        assert answer.body == generate_job(SEED, number)


def test_it_reads_with_user_and_password(launch: Any, connect: Any) -> None:
    one = connect(launch(users={"u": "p"}), api_key=None, basic_auth=("u", "p"))
    assert one.connector.sync_job_get(connector_sync_job_id=id_of(0))["id"] == id_of(0)


def test_it_quotes_ids_as_the_sandbox_reads_them(launch: Any, connect: Any) -> None:
    one = connect(launch(documents={"a/ü b": {"status": "pending"}}))
    assert one.connector.sync_job_get(connector_sync_job_id="a/ü b")["status"] == "pending"


def test_it_pages_through_lists(launch: Any, connect: Any) -> None:
    one = connect(launch(jobs=250))
    found: list[str] = []
    while page := one.connector.sync_job_list(from_=len(found), size=100)["results"]:
        found += [job["id"] for job in page]
    assert sorted(found) == sorted(id_of(number) for number in range(250))


def test_it_filters_lists(launch: Any, connect: Any) -> None:
    one = connect(launch())
    page = one.connector.sync_job_list(
        connector_id="PmT2vZIBkq3mX7a0-_QZ", status="completed", job_type=["incremental", "access_control"]
    )
    assert page["count"] >= len(page["results"]) > 0
    for job in page["results"]:
        assert job["connector"]["id"] == "PmT2vZIBkq3mX7a0-_QZ"


@pytest.mark.parametrize(
    ("settings", "more", "expected"),
    [
        ({}, {"api_key": "bm90OmtleQ=="}, AuthenticationException),
        ({}, {"api_key": POOR_KEY.encoded}, AuthorizationException),
        ({"version": "9.1.0", "has_index": False}, {}, NotFoundError),
        ({"version": "8.19.0"}, {}, BadRequestError),
    ],
)
def test_it_understands_the_errors(
    launch: Any, connect: Any, settings: dict[str, Any], more: dict[str, str], expected: type[ApiError]
) -> None:
    one = connect(launch(**settings), **more)
    with pytest.raises(expected):
        one.connector.sync_job_get(connector_sync_job_id=id_of(0))


def test_it_understands_a_missing_job(launch: Any, connect: Any) -> None:
    missing = id_of(MISSING_FROM)
    with pytest.raises(NotFoundError) as caught:
        connect(launch()).connector.sync_job_get(connector_sync_job_id=missing)
    assert caught.value.error == "resource_not_found_exception"


def test_it_gets_a_job_by_its_own_retries(launch: Any, connect: Any) -> None:
    sandbox = launch(faults=Faults(unavailable=0.5, too_many=0.5, max_in_row=2))
    one = connect(sandbox, max_retries=3)
    assert one.connector.sync_job_get(connector_sync_job_id=id_of(0))["id"] == id_of(0)
    assert sandbox.requests_by_id[id_of(0)] == 3
