"""Requests for many jobs at a time: repeated where that may help, counted, and read, or one error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from etl.errors import EtlError, UnreachableError
from etl.extract.answers import RETRIED_STATUSES
from etl.extract.reasons import Envelope, describe, one_line, read_envelope
from etl.extract.refusals import asker, fatal_error, not_elasticsearch
from etl.extract.retry import RetryPolicy, Surroundings, persist, policy_of
from etl.extract.wire import NoAnswerError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from threading import Event

    from etl.extract.client import Client
    from etl.extract.wire import Response

_OK = 200
_NOT_FOUND = 404

T = TypeVar("T")


class StoppedError(Exception):
    """The caller wants no more; what was read so far holds."""


class AnswerError(UnreachableError):
    """An error that asking again does not mend and that concerns this request; who asked may know what to do.

    Args:
        message: what was said, masked.
        status: of the answer.
        envelope: of its body.
    """

    def __init__(self, message: str, status: int, envelope: Envelope) -> None:
        super().__init__(message, status, envelope)
        self.status = status
        self.envelope = envelope

    def __str__(self) -> str:
        return str(self.args[0])

    def names(self, kind: str) -> bool:
        """Tell whether the error, or its root cause, is of a kind."""
        return self.envelope.type == kind or (self.envelope.root or "").startswith(kind)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request; see `Client.request`."""

    method: str = "GET"
    path: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Told(Generic[T]):
    """What was answered.

    Attributes:
        value: what was read out of the answer.
        attempts: requests made for it.
        elapsed_s: seconds they took, waits included.
        at: when the answer was there (UTC).
        gave_up: why it was not asked again although that might have helped; None otherwise.
    """

    value: T
    attempts: int
    elapsed_s: float
    at: datetime
    gave_up: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt(Generic[T]):
    value: T | None = None
    error: EtlError | None = None
    again: bool = False
    retry_after: str | None = None


def _never(_: Any) -> bool:  # noqa: ANN401 - whatever was read
    return False


class Asking:
    """Asks one cluster, one request after the other.

    Args:
        client: of the cluster.
        stop: ends the waits, and the asking before the next request.
        version: of the cluster, where it is known: it names the missing privilege.
        policy: how to repeat; None for that of the connection.
        world: clock, time and chance; None for the real ones.

    Attributes:
        sent: requests made, repeats included.
        who: who asks, for messages.
    """

    def __init__(
        self,
        client: Client,
        *,
        stop: Event,
        version: str | None = None,
        policy: RetryPolicy | None = None,
        world: Surroundings | None = None,
    ) -> None:
        self.sent = 0
        self.who = asker(client, version)
        self._client = client
        self._stop = stop
        self._policy = policy or policy_of(client.connection)
        self._world = world or Surroundings()

    def ask(self, call: Call, read: Callable[[bytes], T], *, is_partial: Callable[[T], bool] = _never) -> Told[T]:
        """Ask until there is an answer that can be read.

        Args:
            call: the request.
            read: reads the body of a 200; raises ValueError where it is not what was asked for.
            is_partial: whether what was read may be better the next time; the last one counts in any case.

        Raises:
            StoppedError: `stop` is set.
            TooLargeError: the answer is larger than what is read.
            AnswerError: the request cannot be answered.
            RefusedError: the credentials do not reach this.
            UnreachableError: no answer could be read, after all attempts.
            UsageError: the proxy cannot be used.
        """
        if self._stop.is_set():
            raise StoppedError
        tried = persist(
            lambda expires_at: self._once(call, read, is_partial, expires_at),
            self._policy,
            nap=self._stop.wait,
            world=self._world,
        )
        last = tried.last
        if last.error is not None:
            if tried.gave_up is None:
                raise last.error
            if self._stop.is_set():
                raise StoppedError
            raise UnreachableError(one_line(f"{last.error}; {tried.gave_up}", self._client.mask))
        assert last.value is not None  # noqa: S101 - where there is no error
        return Told(
            value=last.value,
            attempts=tried.attempts,
            elapsed_s=tried.elapsed_s,
            at=self._world.now(),
            gave_up=tried.gave_up,
        )

    def now(self) -> datetime:
        """Return the time (UTC)."""
        return self._world.now()

    def line(self, text: str) -> str:
        """Return a text masked, as one line."""
        return one_line(text, self._client.mask)

    def _once(
        self, call: Call, read: Callable[[bytes], T], is_partial: Callable[[T], bool], expires_at: float
    ) -> _Attempt[T]:
        self.sent += 1
        try:
            response = self._client.request(
                call.method, call.path, params=call.params, body=call.body, expires_at=expires_at
            )
        except NoAnswerError as error:
            return _Attempt(error=error, again=not isinstance(error, TooLargeError))
        except EtlError as error:
            return _Attempt(error=error)
        if response.status != _OK:
            return self._refused(call, response)
        try:
            value = read(response.body)
        except (ValueError, RecursionError):
            said = self.line(f"{self.who.url}{call.path}: 200, but not what was asked for ({len(response.body)} bytes)")
            return _Attempt(error=UnreachableError(said), again=True)
        return _Attempt(value=value, again=is_partial(value))

    def _refused(self, call: Call, response: Response) -> _Attempt[T]:
        envelope = read_envelope(response.body)
        said = self.line(f"{self.who.url}{call.path}: {describe(response, envelope, self.who.mask)}")
        if response.status in RETRIED_STATUSES:
            return _Attempt(error=UnreachableError(said), again=True, retry_after=response.headers.get("Retry-After"))
        fatal = fatal_error(response, envelope, self.who)
        if fatal is None and response.status == _NOT_FOUND and not envelope.is_object:
            fatal = not_elasticsearch(response, envelope, self.who)
        return _Attempt(error=fatal or AnswerError(said, response.status, envelope))
