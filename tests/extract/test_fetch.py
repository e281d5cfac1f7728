"""Many ids at once over real sockets: one answer for every id, whatever happens."""

from __future__ import annotations

import json
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from servers import drip, raw, reply, reset

from etl.errors import RefusedError, UnreachableError
from etl.extract.fetch import NOT_ATTEMPTED, Fetcher
from etl.extract.retry import RetryPolicy, Surroundings
from etl.model import Answer, AnswerKind, RequestedId
from tests.extract.conftest import NOW, job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from servers import Exchange, ScriptedServer, Step

    from etl.extract.client import Client

WORLD = Surroundings(now=lambda: NOW)
CUT = raw(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":')
BUSY = reply(503, {"error": {"type": "no_shard", "reason": None}})
UNAUTHORISED = reply(401, {"error": {"type": "security_exception", "reason": "no such key"}})


@pytest.fixture
def fetcher_of(connect: Callable[..., Client], quick: RetryPolicy) -> Iterator[Callable[..., Fetcher]]:
    """Make fetchers that are closed with the test."""
    fetchers: list[Fetcher] = []

    def make(url: str, *, policy: RetryPolicy = quick, version: str | None = None, **settings: Any) -> Fetcher:
        fetchers.append(Fetcher(connect(url, **settings), policy=policy, world=WORLD, version=version))
        return fetchers[-1]

    yield make
    for fetcher in fetchers:
        fetcher.close()


def requested(ids: Iterable[str]) -> list[RequestedId]:
    return [RequestedId(id=job_id, line=line) for line, job_id in enumerate(ids, start=1)]


def fetch(fetcher: Fetcher, *ids: str, stop: threading.Event | None = None) -> dict[str, Answer]:
    answers = list(fetcher.fetch(requested(ids), stop=stop or threading.Event()))
    assert Counter(answer.id for answer in answers) == Counter(ids)
    return {answer.id: answer for answer in answers}


def echo(exchange: Exchange) -> bool:
    """Answer with the job that was asked for."""
    return reply(200, job(exchange.seen.target.rpartition("/")[2]))(exchange)


def after(wait_for: threading.Event, step: Step) -> Step:
    def waiting(exchange: Exchange) -> bool:
        assert wait_for.wait(30)
        return step(exchange)

    return waiting


def then_set(step: Step, event: threading.Event) -> Step:
    """Answer, and let the test know; for a stop, set the event before the answer leaves."""

    def telling(exchange: Exchange) -> bool:
        event.set()
        return step(exchange)

    return telling


def test_each_id_ends_in_one_answer_of_its_kind(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.on_job("good", reply(200, job("good")))
    server.on_job("gone", reply(404, {"error": {"type": "resource_not_found_exception", "reason": "gone"}}))
    server.on_job("broken", reply(500, {"error": {"type": "null_pointer_exception", "reason": "x"}}))
    server.on_job("busy", BUSY)
    server.on_job("list", reply(200, {"count": 0, "results": []}))
    answers = fetch(fetcher_of(server.url), "good", "gone", "broken", "busy", "list")
    assert {name: (answer.kind, answer.http_status, answer.attempts) for name, answer in answers.items()} == {
        "good": (AnswerKind.DOCUMENT, 200, 1),
        "gone": (AnswerKind.NOT_FOUND, 404, 1),
        "broken": (AnswerKind.FAILED, 500, 1),
        "busy": (AnswerKind.FAILED, 503, 3),
        "list": (AnswerKind.REJECTED, 200, 3),
    }
    assert json.loads(answers["good"].body or b"") == job("good")
    assert json.loads(answers["list"].body or b"") == {"count": 0, "results": []}
    assert {name for name, answer in answers.items() if answer.body is not None} == {"good", "list"}
    assert {name: answer.reason for name, answer in answers.items()} == {
        "good": None,
        "gone": None,
        "broken": "500: null_pointer_exception: x",
        "busy": "503: no_shard; given up after 3 attempts",
        "list": "200: a list of sync jobs, not one; given up after 3 attempts",
    }
    assert {answer.fetched_at for answer in answers.values()} == {NOW}
    assert all(answer.elapsed_s >= 0 for answer in answers.values())


@pytest.mark.parametrize(
    "bad",
    [
        BUSY,
        reply(429, b""),
        reply(502, b"<html>"),
        reply(504, b""),
        reset,
        CUT,
        reply(200, b"<html>login</html>", {"Content-Type": "text/html"}),
        reply(200, job("another")),
        reply(200, b""),
        reply(503, b"", {"Retry-After": "0"}),
    ],
    ids=["503", "429", "502", "504", "reset", "cut body", "HTML", "another id's", "empty", "Retry-After"],
)
def test_what_passes_does_no_harm(server: ScriptedServer, fetcher_of: Callable[..., Fetcher], bad: Step) -> None:
    server.on_job("a", bad, bad, reply(200, job("a")))
    answer = fetch(fetcher_of(server.url), "a")["a"]
    assert (answer.kind, answer.http_status, answer.attempts, answer.reason) == (AnswerKind.DOCUMENT, 200, 3, None)
    assert server.asked("a") == 3


def test_the_status_is_that_of_the_last_answer_that_came(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.on_job("a", BUSY, reset)
    answer = fetch(fetcher_of(server.url), "a")["a"]
    assert (answer.http_status, answer.attempts) == (503, 3)
    assert "no answer" in (answer.reason or "")


def test_a_retry_after_beyond_the_cap_fails_the_id_at_once(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.on_job("a", reply(429, b"", {"Retry-After": "21600"}))
    answer = fetch(fetcher_of(server.url), "a")["a"]
    assert (answer.kind, answer.attempts) == (AnswerKind.FAILED, 1)
    assert (answer.reason or "").endswith("; its Retry-After of 21600 s is over the cap of 60 s")


def test_an_answer_that_trickles_ends_at_the_deadline_of_its_id(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.on_job("a", drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n", b" "))
    server.on_job("b", echo)
    answers = fetch(fetcher_of(server.url, policy=RetryPolicy(deadline_s=0.2)), "a", "b")
    assert (answers["a"].kind, answers["a"].attempts) == (AnswerKind.FAILED, 1)
    assert "deadline of 0.2 s" in (answers["a"].reason or "")
    assert answers["b"].kind is AnswerKind.DOCUMENT


def test_an_answer_that_is_too_large_fails_its_id_only(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.on_job("big", reply(200, job("big", error="x" * 10_000)))
    server.on_job("b", echo)
    answers = fetch(fetcher_of(server.url, max_response_bytes=5000), "big", "b")
    assert (answers["big"].kind, answers["big"].attempts) == (AnswerKind.FAILED, 1)
    assert "larger than 5000 bytes" in (answers["big"].reason or "")
    assert answers["b"].kind is AnswerKind.DOCUMENT


def test_a_reason_is_never_longer_than_its_limit(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.on_job("a", reply(503, {"error": {"type": "t", "reason": "x" * 5000}}))
    reason = fetch(fetcher_of(server.url), "a")["a"].reason or ""
    assert len(reason) == 300
    assert reason.endswith("...; given up after 3 attempts")


def test_as_many_requests_are_under_way_as_asked_for_and_no_more(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    barrier = threading.Barrier(3)
    under_way = threading.Semaphore(3)

    def meet(exchange: Exchange) -> bool:
        assert under_way.acquire(blocking=False)
        barrier.wait(30)
        under_way.release()
        return echo(exchange)

    server.fallback = meet
    answers = fetch(fetcher_of(server.url, concurrency=3), *map(str, range(12)))
    assert {answer.kind for answer in answers.values()} == {AnswerKind.DOCUMENT}


def test_ids_are_taken_only_as_there_is_room_for_them(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.fallback = echo
    taken = 0

    def endless() -> Iterator[RequestedId]:
        nonlocal taken
        while True:
            taken += 1
            yield RequestedId(id=str(taken))

    answers = fetcher_of(server.url, concurrency=2).fetch(endless(), stop=threading.Event())
    for yielded, _ in zip(range(1, 100), answers, strict=False):
        assert taken - yielded <= 4
    answers.close()  # type: ignore[attr-defined]


def test_connections_stay_open_between_batches(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.fallback = echo
    fetcher = fetcher_of(server.url, concurrency=2)
    for batch in range(5):
        fetch(fetcher, *(f"{batch}-{number}" for number in range(20)))
    assert len(server.seen) == 100
    assert len({seen.connection for seen in server.seen}) <= 2


def test_no_ids_need_no_request(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    assert fetch(fetcher_of(server.url)) == {}
    assert server.seen == []


def test_after_a_stop_no_id_is_asked_for(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    stop = threading.Event()
    stop.set()
    answers = fetch(fetcher_of(server.url), "a", "b", "c", stop=stop)
    assert {(answer.kind, answer.reason, answer.attempts, answer.http_status) for answer in answers.values()} == {
        (AnswerKind.FAILED, "not_attempted: interrupted", 0, None)
    }
    assert server.seen == []


def test_a_stop_lets_requests_under_way_end_and_accounts_for_the_rest(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    stop = threading.Event()
    server.fallback = echo
    server.on_job("3", then_set(echo, stop))
    ids = list(map(str, range(50)))
    answers = fetch(fetcher_of(server.url, concurrency=1), *ids, stop=stop)
    assert [name for name in ids if answers[name].kind is AnswerKind.DOCUMENT] == ["0", "1", "2", "3"]
    assert {answers[name].reason for name in ids[4:]} == {"not_attempted: interrupted"}
    assert len(server.seen) == 4


def test_an_id_that_waits_at_the_gate_when_a_stop_comes_is_accounted_for_once(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    stop, accounted = threading.Event(), threading.Event()
    server.fallback = echo
    server.on_job("held", after(accounted, echo))

    def ids() -> Iterator[RequestedId]:
        for name in ("held", "quick", "waits", "last"):
            if name == "waits":  # two are under way
                stop.set()
            yield RequestedId(id=name)

    answers = []
    for answer in fetcher_of(server.url).fetch(ids(), stop=stop):
        answers.append(answer.id)
        if len(answers) == 3:
            accounted.set()
    assert Counter(answers) == Counter(["held", "quick", "waits", "last"])


def test_a_stop_ends_a_wait_between_attempts(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    stop = threading.Event()
    server.on_job("a", then_set(reply(503, b"", {"Retry-After": "59"}), stop))
    answer = fetch(fetcher_of(server.url), "a", stop=stop)["a"]
    assert (answer.kind, answer.attempts, answer.http_status) == (AnswerKind.FAILED, 1, 503)
    assert (answer.reason or "").endswith("; interrupted before the next attempt")


def test_refused_credentials_end_the_fetching_and_every_id_is_accounted_for(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.fallback = echo
    server.on_job("3", UNAUTHORISED)
    fetcher = fetcher_of(server.url, concurrency=1)
    ids = list(map(str, range(50)))
    answers = fetch(fetcher, *ids)
    assert isinstance(fetcher.fatal, RefusedError)
    assert [name for name in ids if answers[name].kind is AnswerKind.DOCUMENT] == ["0", "1", "2"]
    assert (answers["3"].kind, answers["3"].http_status, answers["3"].attempts) == (AnswerKind.FAILED, 401, 1)
    assert {answers[name].attempts for name in ids[4:]} == {0}
    assert all((answers[name].reason or "").startswith(NOT_ATTEMPTED) for name in ids[4:])
    assert "no such key" in (answers["49"].reason or "")
    assert len(server.seen) == 4
    fetch(fetcher, "x", "y")
    assert len(server.seen) == 4


def test_a_fatal_answer_ends_the_waits_of_other_ids(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    waits, asked = threading.Event(), threading.Event()
    server.on_job("slow", after(asked, then_set(reply(503, b"", {"Retry-After": "59"}), waits)))
    server.on_job("bad", then_set(after(waits, UNAUTHORISED), asked))
    fetcher = fetcher_of(server.url)
    answers = fetch(fetcher, "slow", "bad")
    assert isinstance(fetcher.fatal, RefusedError)
    assert answers["slow"].attempts <= 1
    assert (answers["slow"].reason or "").endswith("interrupted before the next attempt")


def test_the_version_names_the_missing_privilege(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.on_job("a", reply(403, {"error": {"type": "security_exception", "reason": "no"}}))
    fetcher = fetcher_of(server.url, version="8.15.0")
    fetch(fetcher, "a")
    assert "needs the index privilege read on .elastic-connectors-sync-jobs-v1 (403" in str(fetcher.fatal)


def test_a_row_of_ids_without_any_answer_is_an_outage(fetcher_of: Callable[..., Fetcher], free_port: int) -> None:
    fetcher = fetcher_of(f"http://127.0.0.1:{free_port}", concurrency=2)
    answers = fetch(fetcher, *map(str, range(100)))
    assert isinstance(fetcher.fatal, UnreachableError)
    assert "gave no answer for 20 ids in a row" in str(fetcher.fatal)
    assert "Connection refused" in str(fetcher.fatal)
    attempted = [answer for answer in answers.values() if answer.attempts]
    assert 20 <= len(attempted) <= 24
    assert {answer.http_status for answer in answers.values()} == {None}
    assert sum((answer.reason or "").startswith(NOT_ATTEMPTED) for answer in answers.values()) == 100 - len(attempted)


def test_an_outage_is_counted_over_batches(fetcher_of: Callable[..., Fetcher], free_port: int) -> None:
    fetcher = fetcher_of(f"http://127.0.0.1:{free_port}", concurrency=2)
    fetch(fetcher, *map(str, range(19)))
    assert fetcher.fatal is None
    fetch(fetcher, "one more")
    assert isinstance(fetcher.fatal, UnreachableError)


def test_more_threads_need_a_longer_row_for_an_outage(fetcher_of: Callable[..., Fetcher], free_port: int) -> None:
    fetcher = fetcher_of(f"http://127.0.0.1:{free_port}", concurrency=10)
    fetch(fetcher, *map(str, range(29)))
    assert fetcher.fatal is None
    fetch(fetcher, "one more")
    assert isinstance(fetcher.fatal, UnreachableError)


def test_any_answer_between_means_that_the_cluster_is_there(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.fallback = reset
    for number in range(0, 60, 10):
        server.on_job(str(number), BUSY)
    fetcher = fetcher_of(server.url, concurrency=1)
    answers = fetch(fetcher, *map(str, range(60)))
    assert fetcher.fatal is None
    assert {answer.attempts for answer in answers.values()} == {3}


def test_a_caller_may_take_no_more_answers(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.fallback = echo
    fetcher = fetcher_of(server.url, concurrency=2)
    answers = fetcher.fetch(requested(map(str, range(1000))), stop=threading.Event())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    fetcher.close()
    assert len(server.seen) <= 5


def test_ids_whose_answers_nobody_takes_are_not_asked_for(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    let_go = threading.Event()
    server.fallback = echo
    for name in ("held 1", "held 2"):
        server.on_job(name.replace(" ", "%20"), after(let_go, reply(500, b"")))
    fetcher = fetcher_of(server.url, concurrency=2)
    answers = fetcher.fetch(requested(["a", "held 1", "held 2", "queued", "last"]), stop=threading.Event())
    assert next(answers).id == "a"
    answers.close()  # type: ignore[attr-defined]
    let_go.set()
    fetch(fetcher, "next batch")
    fetcher.close()
    assert server.asked("queued") == 0


def test_closing_ends_the_waits_of_ids_whose_answers_nobody_takes(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    is_asked, waits = threading.Event(), threading.Event()
    server.on_job("a", then_set(echo, is_asked))
    # Not before the other id has passed the gate, which the wait closes.
    server.on_job("slow", after(is_asked, then_set(reply(503, b"", {"Retry-After": "59"}), waits)))
    with fetcher_of(server.url) as fetcher:
        answers = fetcher.fetch(requested(["slow", "a"]), stop=threading.Event())
        assert next(answers).id == "a"
        assert waits.wait(30)
        answers.close()  # type: ignore[attr-defined]
    assert server.asked("slow") == 1


def test_a_defect_is_raised_and_not_taken_for_an_answer(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    fetcher = fetcher_of(server.url)
    monkeypatch.setattr(fetcher._effort.client, "job_request", lambda *_, **__: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        fetch(fetcher, "a")
