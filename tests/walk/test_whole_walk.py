"""Every job there is, each once, however the cluster is filled and whatever happens meanwhile."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from documents import compact

from etl.errors import RefusedError, UnreachableError, UsageError
from etl.extract.filters import JobFilters
from etl.extract.walk.parts import Part
from etl.extract.walk.trail import Order
from etl.model import AnswerKind
from etl.pipeline.times import time_of
from etl.sandbox.faults import Faults
from etl.sandbox.settings import FULL_KEY, POOR_KEY
from tests.walk.conftest import LIST, LISTED, READER, admits, at, doc, forbidden, oldest_first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.model import Answer
    from tests.walk.conftest import Launch

WINDOW = 50
STATUSES = ("pending", "in_progress", "canceling", "suspended", "completed", "error", "canceled")


def crowd(seed: int, count: int = 400) -> dict[str, Any]:
    """Make jobs of every shape: finished ones in the main, of one large connector, some that filters miss."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    documents = {}
    for number in range(count):
        connector: str | None = dice.choice(["big"] * 8 + [f"c{dice.randrange(12)}"] * 8 + ["gone", None])
        job = doc(
            dice.choice([None, *[number * 3] * 20, number // 10 * 30]),
            connector=connector,
            status=dice.choice(["completed"] * 14 + list(STATUSES)),
            job_type=dice.choice(["full"] * 8 + ["incremental", "access_control", "permissions", None]),
        )
        if connector is None and dice.random() < 0.5:
            job["connector_id"] = "flat"
        documents[f"job-{number:04}"] = job
    return documents


LISTED_CONNECTORS: dict[str, Any] = {name: {} for name in ["big", *(f"c{number}" for number in range(12))]}


def reachable(documents: Mapping[str, Any], window: int) -> set[str]:
    """Say by brute force which jobs some filters bring into the window, with the connectors that can be known."""
    order = sorted(
        documents,
        key=lambda job_id: (
            -(time.timestamp() * 1000 // 1) if (time := time_of(documents[job_id].get("created_at"))) else float("inf"),
            list(documents).index(job_id),
        ),
    )
    known, found = set(LISTED_CONNECTORS), set[str]()
    while True:
        for status, job_type, connector in itertools.product(
            (None, *STATUSES), (None, "full", "incremental", "access_control"), (None, *sorted(known))
        ):
            matching = [
                job_id
                for job_id in order
                if status in {None, documents[job_id].get("status")}
                and job_type in {None, documents[job_id].get("job_type")}
                and connector in {None, documents[job_id].get("connector", {}).get("id")}
            ]
            found.update(matching[:window])
        named = {documents[job_id].get("connector", {}).get("id", documents[job_id].get("connector_id"))
                 for job_id in found} - {None}  # fmt: skip
        if named <= known:
            return found
        known |= named


def small(**more: Any) -> dict[str, Any]:
    return {"page_size": 10, "reach": WINDOW, **more}


def check_documents(answers: list[Answer], documents: Mapping[str, Any]) -> None:
    assert max(Counter(answer.id for answer in answers).values(), default=1) == 1
    for answer in answers:
        assert answer.kind is AnswerKind.DOCUMENT
        assert answer.body == compact({"id": answer.id, **documents[answer.id]})
        assert (answer.http_status, answer.attempts, answer.reason) == (200, 1, None)


def test_a_cluster_within_the_window_is_read_in_the_fewest_pages_there_can_be(launch: Launch) -> None:
    documents = crowd(1, 95)
    cluster = launch(documents)
    answers, report = cluster.walked(page_size=25)
    check_documents(answers, documents)
    assert {answer.id for answer in answers} == documents.keys()
    assert (report.requests, report.least) == (4, 4)
    assert report.is_complete
    assert not report.incomplete
    assert report.newest == max(filter(None, (time_of(one.get("created_at")) for one in documents.values())))
    (part,) = report.parts
    assert (part.part, part.count, part.found, part.is_whole) == (Part(), 95, 95, True)


@pytest.mark.parametrize("documents", [{}, {"a": doc()}], ids=["none", "one"])
def test_few_jobs_and_none_are_one_request(launch: Launch, documents: dict[str, Any]) -> None:
    answers, report = launch(documents).walked()
    assert [answer.id for answer in answers] == list(documents)
    assert report.requests == 1
    assert report.is_complete


def test_a_cluster_that_never_had_a_job_has_none(launch: Launch) -> None:
    answers, report = launch({}, has_index=False).walked(use_index=True)
    assert (answers, report.is_complete, report.newest) == ([], True, None)


@pytest.mark.parametrize("seed", range(6))
def test_without_the_index_all_is_read_that_any_filter_brings_into_reach(launch: Launch, seed: int) -> None:
    documents = crowd(seed)
    answers, report = launch(documents, window=WINDOW, connectors=LISTED_CONNECTORS).walked(**small())
    check_documents(answers, documents)
    met = {answer.id for answer in answers}
    assert met == reachable(documents, WINDOW)
    missing = documents.keys() - met
    assert missing
    for job_id in missing:  # of each it is said where it is missing, and how old what was reached there is
        job = documents[job_id]
        assert any(covers(part.part, job) and is_beyond(job, part.reached) for part in report.incomplete)
    assert all("index privilege read on .elastic-connectors-sync-jobs*" in str(part) for part in report.incomplete)
    assert all(part.count == WINDOW for part in report.incomplete)


def covers(part: Part, job: Mapping[str, Any]) -> bool:
    connector = job.get("connector", {}).get("id")
    wanted = ((part.status, job.get("status")), (part.job_type, job.get("job_type")), (part.connector_id, connector))
    return all(wish in {None, value} for wish, value in wanted)


def is_beyond(job: Mapping[str, Any], reached: str | None) -> bool:
    """Tell whether a job is as old as what was reached, or older; those without a time are the last of all."""
    time, last = time_of(job.get("created_at")), time_of(reached)
    return time is None or last is None or time <= last


@pytest.mark.parametrize("seed", range(3))
def test_with_the_index_all_is_read_in_the_fewest_pages(launch: Launch, seed: int) -> None:
    documents = crowd(seed)
    cluster = launch(documents, window=WINDOW, connectors=LISTED_CONNECTORS)
    answers, report = cluster.walked(use_index=True, **small())
    assert {answer.id for answer in answers} == documents.keys()
    assert max(Counter(answer.id for answer in answers).values()) == 1
    for answer in answers:
        assert json.loads(answer.body or b"") == {"id": answer.id, **documents[answer.id]}
    assert report.is_complete
    assert report.requests <= 40 + 4
    assert cluster.sandbox.open_points_in_time == 0


def test_one_that_may_not_read_the_index_is_told_once_and_reads_what_the_list_reaches(launch: Launch) -> None:
    documents = crowd(3)
    cluster = launch(documents, window=WINDOW, connectors=LISTED_CONNECTORS, key=READER)
    answers, report = cluster.walked(use_index=True, **small())
    assert {answer.id for answer in answers} == reachable(documents, WINDOW)
    assert len([note for note in report.notes if "index cannot be read" in note]) == 1
    assert cluster.sandbox.requests_by_route["POST /{index}/_pit"] == 1
    assert not report.is_complete
    assert report.newest is None


def test_the_index_is_never_read_unasked_nor_where_the_list_reaches_all(launch: Launch) -> None:
    unasked = launch(crowd(4), window=WINDOW)
    unasked.walked(**small())
    needless = launch(crowd(4, 40), window=WINDOW)
    needless.walked(use_index=True, **small())
    for cluster in (unasked, needless):
        assert not cluster.sandbox.requests_by_route["POST /{index}/_pit"]


def test_a_window_that_is_smaller_than_usual_is_learnt_from_the_refusal(launch: Launch) -> None:
    documents = crowd(5)
    answers, report = launch(documents, window=WINDOW, connectors=LISTED_CONNECTORS).walked(page_size=100)
    assert {answer.id for answer in answers} == reachable(documents, WINDOW)
    assert not report.is_complete


def test_jobs_of_deleted_connectors_without_type_and_of_unknown_type_are_found_in_parts(launch: Launch) -> None:
    kinds: list[dict[str, Any]] = [
        {"connector": "gone"}, {"job_type": None}, {"job_type": "permissions"},
            {"connector": None, "job_type": "incremental"},
        {"connector": None, "job_type": None, "status": "error"}, {"status": "waiting"},
    ]  # fmt: skip
    documents = {f"new-{number}": doc(1000 + number, connector=f"c{number % 4}") for number in range(120)}
    odd = {f"odd-{number}": doc(number, **{"connector": "c1", **kind}) for number, kind in enumerate(kinds)}
    documents |= {f"seen-{number}": doc(5000 + number, connector="gone") for number in range(2)}
    cluster = launch({**documents, **odd}, window=WINDOW, connectors={f"c{number}": {} for number in range(4)})
    answers, _ = cluster.walked(**small())
    assert {answer.id for answer in answers} == documents.keys() | odd.keys()


def test_a_connector_marked_as_deleted_is_learnt_from_the_list_of_connectors(launch: Launch) -> None:
    documents = {f"new-{number}": doc(1000 + number, connector=f"c{number % 4}") for number in range(160)}
    documents["old"] = doc(1, connector="gone", job_type=None)
    connectors: dict[str, Any] = {**{f"c{number}": {} for number in range(4)}, "gone": {"deleted": True}}
    answers, _ = launch(documents, window=WINDOW, connectors=connectors).walked(**small())
    assert "old" in {answer.id for answer in answers}
    answers, _ = launch(documents, window=WINDOW, connectors=connectors, version="8.17.0").walked(**small())
    assert "old" not in {answer.id for answer in answers}


def test_connectors_that_cannot_be_listed_are_known_by_their_jobs(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number, connector=f"c{number % 4}") for number in range(160)}
    cluster = launch(documents, window=WINDOW)
    cluster.client.instead = lambda path, _: forbidden() if path == "/_connector" else None
    answers, report = cluster.walked(**small())
    assert len(answers) == 160
    assert any("connectors cannot be listed" in note for note in report.notes)


def test_jobs_that_arrive_while_the_list_is_paged_push_none_out_of_sight(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(95)}
    before = set(documents)
    cluster = launch(documents)
    arrivals = itertools.count()

    def arrive(_number: int, path: str, _params: Any) -> None:
        for _ in range(7 if path == LISTED else 0):
            number = next(arrivals)
            documents[f"new-{number:03}"] = doc(1000 + number)

    cluster.client.before = arrive
    answers, report = cluster.walked(page_size=20)
    met = {answer.id for answer in answers}
    assert before | {f"new-{number:03}" for number in range(7)} <= met
    assert len(answers) == len(met)
    assert report.newest == time_of(at(1006))
    assert report.is_complete


def test_more_arrivals_than_a_page_holds_are_passed_over_without_going_back(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(60)}
    cluster = launch(documents)

    def arrive(number: int, _path: str, _params: Any) -> None:
        if number == 3:
            documents.update({f"new-{one:03}": doc(1000 + one) for one in range(45)})

    cluster.client.before = arrive
    before = set(documents)
    answers, report = cluster.walked(page_size=20)
    assert before <= {answer.id for answer in answers}
    starts = [int(params["from"]) for _, params in cluster.client.asked]
    assert starts == sorted(starts)
    assert report.is_complete


def test_jobs_that_vanish_while_the_list_is_paged_pull_none_past_the_reader(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(95)}
    cluster = launch(documents)

    def vanish(number: int, path: str, _params: Any) -> None:
        if path == LISTED and number in {2, 4}:
            newest = sorted(documents, reverse=True)[:9]
            for job_id in newest:
                del documents[job_id]

    cluster.client.before = vanish
    answers, report = cluster.walked(page_size=20)
    assert documents.keys() <= {answer.id for answer in answers}
    starts = [int(params["from"]) for _, params in cluster.client.asked]
    assert any(later < earlier for earlier, later in itertools.pairwise(starts))
    assert report.is_complete


def test_a_part_that_empties_while_it_is_read_ends_in_order(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(60)}
    cluster = launch(documents)
    cluster.client.before = lambda number, *_: documents.clear() if number == 2 else None
    answers, report = cluster.walked(page_size=20)
    assert len(answers) == 20
    assert report.is_complete


def test_jobs_of_one_moment_are_read_in_whatever_order_each_page_gives_them(launch: Launch) -> None:
    """Two copies of a shard give jobs of one moment in orders of their own."""
    documents = {f"job-{number:03}": doc(number // 6) for number in range(60)}
    cluster = launch(documents)

    def turn(_number: int, _path: str, _params: Any) -> None:
        turned = dict(reversed(documents.items()))
        documents.clear()
        documents.update(turned)

    cluster.client.before = turn
    answers, _ = cluster.walked(page_size=10)
    assert {answer.id for answer in answers} == documents.keys()


def test_unfinished_jobs_that_go_from_part_to_part_are_met_all_the_same(launch: Launch) -> None:
    documents = {f"old-{number:03}": doc(number, connector=f"c{number % 9}") for number in range(200)}
    documents["hopping"] = doc(0, status="pending", connector=None, job_type=None)
    cluster = launch(documents, window=WINDOW)

    def hop(_number: int, path: str, params: Mapping[str, str | int]) -> None:
        if path == LISTED and params.get("status") == "in_progress" and documents["hopping"]["status"] == "pending":
            documents["hopping"]["status"] = "pending"
        if path == LISTED and params.get("status") == "pending" and not hops:
            documents["hopping"]["status"] = "in_progress"
            hops.append(1)

    hops: list[int] = []
    cluster.client.before = hop
    answers, report = cluster.walked(**small())
    assert "hopping" in {answer.id for answer in answers}
    passes = Counter(params["status"] for _, params in cluster.client.asked if params.get("status") == "in_progress")
    assert passes["in_progress"] == 3  # once among the parts, once with the job, once without anything new
    assert not any("passes" in note for note in report.notes)


def test_a_bound_that_ends_the_passes_is_said(launch: Launch) -> None:
    documents = {f"old-{number:03}": doc(number, connector=f"c{number % 9}") for number in range(200)}
    cluster = launch(documents, window=WINDOW)
    late = itertools.count()

    def appear(_number: int, path: str, params: Mapping[str, str | int]) -> None:
        if path == LISTED and params.get("status") == "suspended":
            documents[f"late-{next(late)}"] = doc(50, status="suspended")

    cluster.client.before = appear
    answers, report = cluster.walked(passes=2, **small())
    assert {"late-0", "late-1", "late-2"} <= {answer.id for answer in answers}
    assert any("after 2 passes" in note for note in report.notes)


def test_the_oldest_first_is_noticed_and_all_is_read(launch: Launch) -> None:
    documents = crowd(8, 90)
    cluster = launch(documents)
    oldest_first(cluster, 10_000)
    answers, report = cluster.walked(page_size=20)
    assert {answer.id for answer in answers} == documents.keys()
    assert report.is_complete
    assert report.newest is None  # what came since would stand at the end


def test_the_oldest_first_beyond_the_window_reaches_from_the_other_end(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(120)}
    cluster = launch(documents, connectors={"c1": {}})
    oldest_first(cluster, WINDOW)
    answers, report = cluster.walked(**small())
    assert sorted(answer.id for answer in answers) == sorted(documents)[:WINDOW]
    certain = [part for part in report.incomplete if part.is_certain]
    assert [part.reached for part in certain] == [at(49)]
    assert certain[0].order is Order.OLDEST_FIRST
    assert "after" in str(certain[0])


def test_what_passes_is_asked_again(launch: Launch) -> None:
    documents = crowd(2, 90)
    faults = Faults(unavailable=0.2, reset=0.1, cut=0.1, garbage=0.1, bad_gateway=0.1, max_in_row=2)
    cluster = launch(documents, window=WINDOW, faults=faults, connectors=LISTED_CONNECTORS)
    answers, report = cluster.walked(use_index=True, **small())
    assert {answer.id for answer in answers} == documents.keys()
    assert report.fatal is None
    assert report.requests > report.least


def test_pages_that_are_too_large_are_halved_and_stay_so(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number, error="x" * 500) for number in range(60)}
    cluster = launch(documents, connection={"max_response_bytes": 6_000})
    answers, report = cluster.walked(page_size=40)
    check_documents(answers, documents)
    assert len(answers) == 60
    assert [int(params["size"]) for _, params in cluster.client.asked[:4]] == [40, 20, 10, 5][:2] + [10, 5][:2]
    assert report.least == -(-60 // int(cluster.client.asked[-1][1]["size"]))


def test_one_job_that_is_too_large_is_named_and_the_others_come(launch: Launch) -> None:
    documents = {f"job-{number}": doc(number) for number in range(7)}
    documents["job-3"]["error"] = "x" * 9_000
    for use_index in (False, True):
        cluster = launch(documents, window=5 if use_index else 10_000, connection={"max_response_bytes": 4_000})
        answers, report = cluster.walked(use_index=use_index, page_size=4, reach=5 if use_index else 10_000)
        kinds = {answer.id: answer.kind for answer in answers}
        assert kinds == dict.fromkeys(documents, AnswerKind.DOCUMENT) | {"job-3": AnswerKind.FAILED}
        assert "larger than 4000 bytes" in str(next(answer.reason for answer in answers if answer.id == "job-3"))
        assert report.fatal is None


def test_results_without_a_usable_id_are_kept_as_rejected_and_an_id_given_twice_is_the_first(launch: Launch) -> None:
    odd = {
        "a": b'{"id":"a","created_at":"2026-10-01","id":"stored","status":"error"}',
        "b": b'{"created_at":"2026-10-02","status":"error"}',
        "c": b'{"id":7,"created_at":"2026-10-03"}',
        "d": b'{"id":"d","created_at":"2026-10-04","error":"\xff\xfe","connector":"none"}',
        "e": b'{"created_at":"2026-10-05","id":"e"}',
    }
    answers, _ = launch(odd).walked(page_size=2)
    by_kind = Counter(answer.kind for answer in answers)
    assert by_kind == {AnswerKind.DOCUMENT: 3, AnswerKind.REJECTED: 2}
    assert {answer.id: answer.body for answer in answers if answer.kind is AnswerKind.DOCUMENT} == {
        name: odd[name] for name in ("a", "d", "e")
    }
    rejected = [answer for answer in answers if answer.kind is AnswerKind.REJECTED]
    assert {answer.body for answer in rejected} == {odd["b"], odd["c"]}
    assert all(answer.reason and answer.id.startswith("#") for answer in rejected)


@pytest.mark.parametrize("use_index", [False, True])
def test_filters_are_sent_where_the_list_has_them_and_applied_where_not(launch: Launch, use_index: bool) -> None:  # noqa: FBT001
    documents = crowd(6)
    cluster = launch(documents, window=WINDOW if use_index else 10_000)
    filters = [
        JobFilters(statuses=("completed", "pending")),
        JobFilters(job_types=("incremental", "access_control")),
        JobFilters(connector_ids=("big", "c3"), job_types=("full",)),
        JobFilters(since=time_of(at(300))),
        JobFilters(since=time_of(at(300)), until=time_of(at(600)), statuses=("completed", "error")),
        JobFilters(until=time_of(at(100))),
    ]
    for one in filters:
        answers, report = cluster.walked(filters=one, use_index=use_index, page_size=10,
                                         reach=WINDOW if use_index else 10_000)  # fmt: skip
        assert {answer.id for answer in answers} == {job_id for job_id, job in documents.items() if admits(one, job)}
        assert report.is_complete
        assert len(answers) + report.unwanted == report.found


def test_what_is_older_than_since_is_not_paged_through(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(300)}
    answers, report = launch(documents, window=WINDOW).walked(filters=JobFilters(since=time_of(at(283))), **small())
    assert len(answers) == 17
    assert report.requests == 2
    assert report.is_complete  # although the count stands at the window


def test_jobs_that_the_caller_has_are_left_out_and_counted(launch: Launch) -> None:
    documents = {f"job-{number:03}": doc(number) for number in range(30)}
    cluster = launch(documents)
    walk = cluster.walk(skips=lambda ids: [job_id < "job-020" for job_id in ids], page_size=10)
    assert {answer.id for group in walk.answers() for answer in group} == {f"job-{n:03}" for n in range(20, 30)}
    assert walk.report().skipped == 20
    assert walk.has_met("job-003")
    assert not walk.has_met("job-030")


def test_ids_alone_are_asked_for_without_documents(launch: Launch) -> None:
    documents = crowd(9)
    cluster = launch(documents, window=WINDOW, connectors=LISTED_CONNECTORS)
    sizes: list[int] = []
    for settings in (small(), small(use_index=True), small(filters=JobFilters(since=time_of(at(900))))):
        cluster.client.asked.clear()
        walk, whole = cluster.walk(**settings), cluster.walk(**settings)
        ids = [job_id for group in walk.ids() for job_id in group]
        assert len(ids) == len(set(ids))
        assert set(ids) == {answer.id for group in whole.answers() for answer in group}
        assert walk.report().requests == whole.report().requests
        sizes.append(len(ids))
    assert sizes[1] == len(documents)
    assert any("filter_path" in params for path, params in cluster.client.asked if path == LISTED)


def test_a_stop_ends_the_walk_between_pages_and_what_came_holds(launch: Launch) -> None:
    cluster = launch({f"job-{number:03}": doc(number) for number in range(60)})
    walk = cluster.walk(page_size=10)
    came = []
    for group in walk.answers():
        came.append(group)
        cluster.stop.set()
    report = walk.report()
    assert len(came) == 1
    assert report.stopped
    assert not report.is_complete
    assert report.newest is None


@pytest.mark.parametrize(
    ("settings", "key", "error", "said"),
    [
        ({}, POOR_KEY, RefusedError, "monitor_connector"),
        ({"version": "8.17.0"}, READER, RefusedError, "index privilege read"),
        ({"faults": Faults(unavailable=1.0, max_in_row=99)}, FULL_KEY, UnreachableError, "given up after 3 attempts"),
        ({"faults": Faults(edge_proxy=1.0, max_in_row=99)}, FULL_KEY, UnreachableError, "no Elasticsearch 8.12"),
        ({"faults": Faults(garbage=1.0, max_in_row=99)}, FULL_KEY, UnreachableError, "not what was asked for"),
        ({"version": "8.11.0"}, FULL_KEY, UnreachableError, "too old"),
    ],
    ids=["403", "403 by index", "503", "proxy", "garbage", "old"],
)
def test_a_cluster_that_cannot_be_read_ends_the_walk_with_its_error(
    launch: Launch, settings: dict[str, Any], key: Any, error: type[Exception], said: str
) -> None:
    answers, report = launch({"a": doc()}, key=key, **settings).walked(use_index=True)
    assert not answers
    assert isinstance(report.fatal, error)
    assert said in str(report.fatal)
    assert not report.is_complete


def test_a_filter_that_the_cluster_does_not_know_is_a_usage_error(launch: Launch) -> None:
    _, report = launch({"a": doc()}).walked(filters=JobFilters(statuses=("waiting",)))
    assert isinstance(report.fatal, UsageError)
    assert "Unknown SyncStatus: waiting" in str(report.fatal)


def test_the_route_is_asked_as_often_as_the_report_says(launch: Launch) -> None:
    cluster = launch(crowd(7), window=WINDOW, connectors=LISTED_CONNECTORS)
    _, report = cluster.walked(**small())
    routes = cluster.sandbox.requests_by_route
    assert report.requests == routes[LIST] + routes["GET /_connector"] == sum(routes.values())
    assert report.requests == sum(part.requests for part in report.parts) + 1
