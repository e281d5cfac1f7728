"""A cluster that pushes back, slows down or asks for a pause is asked for less by the whole run, and for all again."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from documents import job
from servers import Exchange, ScriptedServer, reply

from etl.extract.client import Client
from etl.extract.fetch import NOT_ATTEMPTED, Fetcher
from etl.extract.retry import RetryPolicy, Surroundings
from etl.extract.transport.by_curl import CurlWire
from etl.extract.transport.by_requests import RequestsWire
from etl.model import Answer, AnswerKind, RequestedId
from etl.settings import Connection, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from servers import Step

    from etl.extract.transport.request import Request
    from etl.extract.wire import Response

PATIENCE_S = 60.0  # only a test that fails waits as long
TOO_MANY = reply(429, {"error": {"type": "circuit_breaking_exception", "reason": "full"}})
REFUSED = reply(401, {"error": {"type": "security_exception", "reason": "no such key"}})


class Clock:
    """Time that stands still but for what a test adds, so that no load of the machine looks like a slow cluster."""

    def __init__(self) -> None:
        self._began = time.monotonic()  # from which the client counts
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return self._began + self.ahead_s

    @contextmanager
    def racing(self) -> Iterator[threading.Event]:
        """Let a second pass every millisecond, until the block ends or the event is set."""
        ends = threading.Event()

        def race() -> None:
            while not ends.wait(0.001):
                self.ahead_s += 1.0

        thread = threading.Thread(target=race)
        thread.start()
        yield ends
        ends.set()
        thread.join()


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="fetcher_of", params=[Transport.REQUESTS, Transport.CURL], ids=str)
def _fetcher_of(
    request: pytest.FixtureRequest, server: ScriptedServer, clock: Clock
) -> Iterator[Callable[..., Fetcher]]:
    opened: list[Any] = []

    def make(concurrency: int, **policy: Any) -> Fetcher:
        client = Client(Connection(url=server.url, concurrency=concurrency, transport=request.param))
        fetcher = Fetcher(
            client,
            policy=RetryPolicy(**{"max_attempts": 50, "base_s": 0.0, "cap_s": 0.0, **policy}),
            world=Surroundings(clock=clock),
        )
        opened.extend((client, fetcher))
        return fetcher

    yield make
    for resource in reversed(opened):
        resource.close()


def ids(*names: object) -> list[RequestedId]:
    return [RequestedId(id=str(name)) for name in names]


def fetch(fetcher: Fetcher, names: Iterable[object], stop: threading.Event | None = None) -> dict[str, Answer]:
    return {answer.id: answer for answer in fetcher.fetch(ids(*names), stop=stop or threading.Event())}


def echo(exchange: Exchange) -> bool:
    """Answer with the job that was asked for."""
    return reply(200, job(id=exchange.seen.target.rpartition("/")[2]))(exchange)


class Crowd:
    """Counts the requests that are under way; at the transport, since a server learns late of their end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self._send, self._begin = RequestsWire.send, CurlWire.begin
        self._now = 0
        self.most = 0
        crowd = self

        def send(wire: RequestsWire, request: Request) -> Response:
            with crowd._lock:
                crowd._now += 1
                crowd.most = max(crowd.most, crowd._now)
            try:
                return crowd._send(wire, request)
            finally:
                with crowd._lock:
                    crowd._now -= 1

        def begin(wire: CurlWire, request: Request, key: object) -> None:
            crowd._begin(wire, request, key)
            crowd.most = max(crowd.most, wire.under_way)

        monkeypatch.setattr(RequestsWire, "send", send)
        monkeypatch.setattr(CurlWire, "begin", begin)


def all_at_once(parties: int, step: Step) -> Step:
    """Let so many requests wait for each other before they are answered."""
    barrier = threading.Barrier(parties)

    def meeting(exchange: Exchange) -> bool:
        barrier.wait(PATIENCE_S)
        return step(exchange)

    return meeting


def test_requests_that_were_under_way_together_halve_the_limit_once(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.fallback = all_at_once(8, TOO_MANY)
    fetcher = fetcher_of(8, max_attempts=1)

    answers = fetch(fetcher, range(8))

    assert {answer.http_status for answer in answers.values()} == {429}
    assert fetcher.pressure.limit == 4.0


@pytest.mark.parametrize("status", [429, 503])
def test_the_whole_run_asks_for_less_while_it_is_pushed_back(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    fetcher = fetcher_of(8, max_attempts=1)
    server.fallback = reply(status, b"")
    fetch(fetcher, range(30))  # 8 + 4 + 2 are under way at most until one at a time is left
    assert fetcher.pressure.limit == 1.0
    crowd = Crowd(monkeypatch)

    answers = fetch(fetcher, range(30, 80))

    assert {answer.http_status for answer in answers.values()} == {status}
    assert crowd.most == 1


def test_the_run_is_at_full_strength_again_when_the_cluster_is(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    fetcher = fetcher_of(8)
    for name in range(3):
        server.on_job(str(name), TOO_MANY, TOO_MANY, TOO_MANY, echo)
    server.fallback = echo

    answers = fetch(fetcher, range(200))

    assert {answer.kind for answer in answers.values()} == {AnswerKind.DOCUMENT}
    assert fetcher.pressure.limit == 8.0
    server.fallback = all_at_once(8, echo)
    assert len(fetch(fetcher, range(200, 208))) == 8


def test_answers_that_take_much_longer_than_the_best_are_pressure(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], clock: Clock
) -> None:
    fetcher = fetcher_of(4)
    server.fallback = echo
    fetch(fetcher, range(4))

    def slow(exchange: Exchange) -> bool:
        clock.ahead_s += 5.0
        return echo(exchange)

    server.fallback = slow
    answers = fetch(fetcher, range(4, 24))

    assert {answer.kind for answer in answers.values()} == {AnswerKind.DOCUMENT}
    assert fetcher.pressure.limit == 1.0


def test_a_request_without_any_answer_in_time_is_pressure(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], clock: Clock
) -> None:
    fetcher = fetcher_of(4, max_attempts=1)
    server.fallback = echo
    fetch(fetcher, range(4))

    def hang_up(_: Exchange) -> bool:
        clock.ahead_s += 30.0
        return False

    server.on_job("late", hang_up)

    assert fetch(fetcher, ["late"])["late"].http_status is None
    assert fetcher.pressure.limit == 2.0


def test_a_connection_that_is_refused_at_once_is_no_pressure(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher]
) -> None:
    server.fallback = lambda _: False
    fetcher = fetcher_of(4, max_attempts=1)

    fetch(fetcher, range(4))

    assert fetcher.pressure.limit == 4.0


def test_a_retry_after_pauses_every_id(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], clock: Clock
) -> None:
    pushed_at: list[float] = []
    later: list[float] = []

    def push_back(exchange: Exchange) -> bool:
        pushed_at.append(clock())
        return reply(429, b"", {"Retry-After": "30"})(exchange)

    def timed(exchange: Exchange) -> bool:
        later.append(clock())
        return echo(exchange)

    server.fallback = timed
    server.on_job("first", push_back, timed)
    fetcher = fetcher_of(1)

    with clock.racing():
        answers = fetch(fetcher, ["first", *range(20)])

    assert {answer.kind for answer in answers.values()} == {AnswerKind.DOCUMENT}
    assert len(later) == 21
    assert min(later) >= pushed_at[0] + 30


def test_a_wait_at_the_gate_does_not_count_before_the_first_request(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], clock: Clock
) -> None:
    fetcher = fetcher_of(1, deadline_s=100.0, retry_after_cap_s=6000.0)
    server.on_job("first", reply(429, b"", {"Retry-After": "500"}))

    with clock.racing() as ends:

        def end_race(exchange: Exchange) -> bool:
            ends.set()
            return echo(exchange)

        server.on_job("second", end_race)
        answers = fetch(fetcher, ["first", "second"])

    assert (answers["first"].reason or "").endswith("the deadline of 100 s comes before the next attempt")
    assert (answers["second"].kind, answers["second"].attempts) == (AnswerKind.DOCUMENT, 1)
    assert answers["second"].elapsed_s < 250
    assert clock.ahead_s >= 500


def test_the_deadline_of_an_id_that_has_begun_ends_its_wait_at_the_gate(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], clock: Clock
) -> None:
    asked = threading.Barrier(2)
    together = threading.Event()

    def fail_first(exchange: Exchange) -> bool:
        asked.wait(PATIENCE_S)
        reply(503, b"")(exchange)
        together.set()
        return True

    def pause(exchange: Exchange) -> bool:
        asked.wait(PATIENCE_S)
        assert together.wait(PATIENCE_S)
        return reply(429, b"", {"Retry-After": "50000"})(exchange)

    server.on_job("a", fail_first, TOO_MANY)
    server.on_job("b", pause)
    fetcher = fetcher_of(2, deadline_s=400.0, retry_after_cap_s=60_000.0, max_attempts=100_000)

    with clock.racing():
        answers = fetch(fetcher, ["a", "b"])

    assert {answer.kind for answer in answers.values()} == {AnswerKind.FAILED}
    for answer in answers.values():
        assert (answer.reason or "").endswith("the deadline of 400 s comes before the next attempt")
    assert clock.ahead_s < 50_000


def test_a_stop_ends_the_waits_at_the_gate(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    stop = threading.Event()
    begun = threading.Event()

    def pause(exchange: Exchange) -> bool:
        begun.set()
        return reply(429, b"", {"Retry-After": "59"})(exchange)

    server.fallback = pause
    fetcher = fetcher_of(4)

    def end() -> None:
        assert begun.wait(PATIENCE_S)
        stop.set()

    ending = threading.Thread(target=end)
    ending.start()
    answers = fetch(fetcher, range(50), stop)
    ending.join()

    assert len(answers) == 50
    assert len(server.seen) <= 4
    for answer in answers.values():
        expected = f"{NOT_ATTEMPTED}interrupted" if answer.attempts == 0 else "interrupted before the next attempt"
        assert (answer.reason or "").endswith(expected)


def test_a_fatal_error_ends_the_waits_at_the_gate(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    asked = threading.Barrier(2)
    paused = threading.Event()

    def pause(exchange: Exchange) -> bool:
        asked.wait(PATIENCE_S)
        reply(429, b"", {"Retry-After": "59"})(exchange)
        paused.set()
        return True

    def refuse(exchange: Exchange) -> bool:
        asked.wait(PATIENCE_S)
        assert paused.wait(PATIENCE_S)
        return REFUSED(exchange)

    server.on_job("paused", pause)
    server.on_job("refused", refuse)
    fetcher = fetcher_of(2)

    answers = fetch(fetcher, ["paused", "refused", *range(20)])

    assert len(answers) == 22
    assert len(server.seen) == 2
    assert "no such key" in str(fetcher.fatal)


def test_closing_ends_the_waits_at_the_gate(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.on_job("fails", reply(500, b""))
    server.fallback = reply(429, b"", {"Retry-After": "59"})
    fetcher = fetcher_of(1)

    answers = fetcher.fetch(ids("fails", *range(10)), stop=threading.Event())
    assert next(answers).id == "fails"
    answers.close()  # type: ignore[attr-defined]
    fetcher.close()

    assert len(server.seen) <= 2


def test_a_defect_in_the_midst_of_a_request_leaves_no_place_taken(
    server: ScriptedServer, fetcher_of: Callable[..., Fetcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fallback = echo
    fetcher = fetcher_of(1)
    with monkeypatch.context() as patched:
        patched.setattr(fetcher._effort.client, "job_request", lambda *_, **__: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            fetch(fetcher, ["a"])

    assert fetch(fetcher, ["a"])["a"].kind is AnswerKind.DOCUMENT


def test_a_wait_longer_than_its_cap_pauses_nobody(server: ScriptedServer, fetcher_of: Callable[..., Fetcher]) -> None:
    server.fallback = echo
    server.on_job("0", reply(429, b"", {"Retry-After": "3600"}))
    fetcher = fetcher_of(1)

    answers = fetch(fetcher, range(10))

    assert (answers["0"].attempts, answers["0"].kind) == (1, AnswerKind.FAILED)
    assert (answers["0"].reason or "").endswith("; its Retry-After of 3600 s is over the cap of 60 s")
    assert [answer.kind for name, answer in answers.items() if name != "0"] == [AnswerKind.DOCUMENT] * 9
