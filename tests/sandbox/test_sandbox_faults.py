"""What goes wrong on purpose goes wrong on the wire, in the same way each time, and ends."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import pytest
import requests

from etl.errors import UsageError
from etl.sandbox.faults import DEMO_FAULTS, NO_FAULTS, Fault, Faults
from etl.sandbox.identity import id_of

JOB = id_of(5)


def test_429_comes_with_and_without_retry_after(launch: Any, client: Any) -> None:
    plain = client.job(launch(faults=Faults(too_many=1.0)), JOB)
    by_proxy = client.job(launch(faults=Faults(too_many_with_retry_after=1.0, retry_after_s=7)), JOB)
    assert plain.status_code == by_proxy.status_code == 429
    assert "Retry-After" not in plain.headers
    assert by_proxy.headers["Retry-After"] == "7"


def test_502_is_a_page_by_a_proxy(launch: Any, client: Any) -> None:
    answer = client.job(launch(faults=Faults(bad_gateway=1.0)), JOB)
    assert answer.status_code == 502
    assert answer.headers["content-type"] == "text/html"
    assert "X-elastic-product" not in answer.headers


def test_a_reset_is_seen_as_a_broken_connection(launch: Any, client: Any) -> None:
    with pytest.raises(requests.ConnectionError, match="ConnectionResetError"):
        client.job(launch(faults=Faults(reset=1.0)), JOB)


def test_a_cut_body_is_shorter_than_its_content_length(launch: Any, client: Any) -> None:
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        client.job(launch(faults=Faults(cut=1.0)), JOB)


def test_garbage_is_200_and_no_json(launch: Any, client: Any) -> None:
    answer = client.job(launch(faults=Faults(garbage=1.0)), JOB)
    assert answer.status_code == 200
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_a_list_comes_instead_of_the_job(launch: Any, client: Any) -> None:
    answer = client.job(launch(faults=Faults(list_answer=1.0)), JOB).json()
    assert answer["count"] == 1
    assert answer["results"][0]["id"] == JOB


@pytest.mark.parametrize("number", [0, 5])
def test_another_job_comes_instead_of_the_one_asked_for(launch: Any, client: Any, number: int) -> None:
    answer = client.job(launch(faults=Faults(other_job=1.0)), id_of(number))
    assert answer.status_code == 200
    assert len(answer.json()["id"]) == 20
    assert answer.json()["id"] != id_of(number)


def test_a_slow_answer_is_the_right_one(launch: Any, client: Any) -> None:
    assert client.job(launch(faults=Faults(slow=1.0, delay_s=0.001)), JOB).json()["id"] == JOB


def test_an_answer_that_is_too_slow_for_its_client_leaves_the_sandbox_well(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(slow=1.0, max_in_row=1, delay_s=60.0))
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.session.get(
            f"{sandbox.url}/_connector/_sync_job/{JOB}",
            headers={"Authorization": f"ApiKey {sandbox.api_key}"},
            timeout=(30, 0.05),
        )
    assert client.job(sandbox, JOB).json()["id"] == JOB


INDEX = "/.elastic-connectors-sync-jobs"
ROUTES: dict[str, tuple[str, str, Any]] = {
    "list": ("GET", "/_connector/_sync_job", None),
    "connectors": ("GET", "/_connector", None),
    "mget": ("POST", f"{INDEX}/_mget", {"ids": [JOB]}),
    "search": ("POST", f"{INDEX}/_search", {"sort": [{"created_at": "desc"}]}),
    "count": ("POST", f"{INDEX}/_count", {}),
    "pit": ("POST", f"{INDEX}/_pit?keep_alive=1m", None),
    "close": ("DELETE", "/_pit", {"id": "x"}),
}


@pytest.mark.parametrize("route", ROUTES)
def test_every_other_route_meets_the_faults_too_and_then_its_answer(launch: Any, client: Any, route: str) -> None:
    method, path, body = ROUTES[route]

    def first_and_second(**shares: Any) -> tuple[requests.Response, requests.Response]:
        sandbox = launch(faults=Faults(max_in_row=1, **shares))
        first, second = (client.send(method, sandbox, path, json=body) for _ in range(2))
        return first, second

    right = client.send(method, launch(), path, json=body)
    for share, status in {"too_many": 429, "bad_gateway": 502, "unavailable": 503, "edge_proxy": 404}.items():
        first, second = first_and_second(**{share: 1.0})
        assert first.status_code == status
        assert first.content != right.content
        assert second.content == right.content
    garbage, _ = first_and_second(garbage=1.0)
    assert garbage.headers["content-type"] == "text/html"
    slow, _ = first_and_second(slow=1.0, delay_s=0.001)
    assert slow.content == right.content
    for share in ("reset", "cut"):
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            first_and_second(**{share: 1.0})


def test_each_body_has_its_own_row_of_faults(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(unavailable=1.0, max_in_row=1))
    asks = [{"ids": [id_of(number)]} for number in (1, 1, 2, 2)]
    statuses = [client.post(sandbox, f"{INDEX}/_mget", ask).status_code for ask in asks]
    assert statuses == [503, 200, 503, 200]


def test_a_point_in_time_whose_answer_was_cut_stays_open(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(cut=1.0))
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.post(sandbox, f"{INDEX}/_pit?keep_alive=1m")
    assert sandbox.open_points_in_time == 1


def test_the_root_is_spared(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(unavailable=1.0))
    assert [client.get(sandbox, "/").status_code for _ in range(3)] == [200, 200, 200]


def test_what_went_wrong_is_counted_by_its_name(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(too_many=1.0, max_in_row=2))
    assert [client.job(sandbox, JOB).status_code for _ in range(3)] == [429, 429, 200]
    assert sandbox.faults == {"too_many": 2}


def test_faults_are_the_same_in_every_sandbox(launch: Any, client: Any) -> None:
    faults = Faults(seed=3, too_many=0.3, unavailable=0.3, garbage=0.2)

    def statuses() -> list[tuple[int, int]]:
        sandbox = launch(faults=faults)
        answers = [client.job(sandbox, id_of(number)) for number in range(12) for _ in range(6)]
        return [(answer.status_code, len(answer.content)) for answer in answers]

    assert statuses() == statuses()


def test_another_seed_picks_other_requests() -> None:
    struck = [[Faults(seed=seed, reset=0.5).strike(JOB, nth) for nth in range(1, 40)] for seed in (1, 2)]
    assert struck[0] != struck[1]


@pytest.mark.parametrize("most", [1, 3, 5])
def test_no_id_meets_more_faults_in_a_row_than_allowed(most: int) -> None:
    faults = Faults(unavailable=1.0, max_in_row=most)
    struck = [faults.strike(JOB, nth) is not None for nth in range(1, 100)]
    rows = "".join("x" if one else " " for one in struck).split()
    assert max(map(len, rows)) == most


def test_an_id_that_always_fails_always_fails(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(always_fail=frozenset({JOB})))
    assert {client.job(sandbox, JOB).status_code for _ in range(10)} == {503}
    assert client.job(sandbox, id_of(6)).status_code == 200


def test_shares_are_kept_over_many_requests() -> None:
    faults = Faults(reset=0.1, cut=0.2)
    found = Counter(faults.strike(id_of(number), 1) for number in range(5_000))
    assert 400 < found[Fault.RESET] < 600
    assert 850 < found[Fault.CUT] < 1_150
    assert found[None] + found[Fault.RESET] + found[Fault.CUT] == 5_000


def test_answers_with_a_wrong_job_exist_only_where_a_job_is_asked_for() -> None:
    faults = Faults(other_job=0.5, list_answer=0.5)
    assert all(faults.strike("/_connector/_sync_job", nth, is_job=False) is None for nth in range(1, 50))


def test_the_demo_meets_every_fault_but_that_of_a_cluster_that_is_not_there() -> None:
    found = {DEMO_FAULTS.strike(id_of(number), 1) for number in range(2_000)}
    assert found == {None, *Fault} - {Fault.EDGE_PROXY}


@pytest.mark.parametrize("shares", [{"reset": -0.1}, {"reset": 0.6, "cut": 0.6}])
def test_shares_that_cannot_be_are_a_usage_error(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="shares"):
        Faults(**shares)  # type: ignore[arg-type]  # names of shares only


def test_faults_survive_pickling_with_their_choices() -> None:
    again = pickle.loads(pickle.dumps(DEMO_FAULTS))  # noqa: S301 - written one call before
    assert again == DEMO_FAULTS
    assert again.strike(JOB, 1) == DEMO_FAULTS.strike(JOB, 1)
    assert NO_FAULTS.strike(JOB, 1) is None
