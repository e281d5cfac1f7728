"""Checks of the way to the cluster, and of what the credentials reach there."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Event
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from etl.check.diagnosis import Check, Terms, Told, chain, ok, skipped, warning, wrong
from etl.errors import EtlError, RefusedError, UnreachableError
from etl.extract.address import Door, door_of
from etl.extract.answers import RETRIED_STATUSES, judge
from etl.extract.client import Client
from etl.extract.cluster import ClusterFacts, cluster_facts
from etl.extract.door import advised, expiry, knock
from etl.extract.filters import JobFilters
from etl.extract.mget import ManyGetter
from etl.extract.reasons import describe, one_line, read_envelope
from etl.extract.refusals import asker, fatal_error, missing_privilege, not_elasticsearch
from etl.extract.retry import RetryPolicy
from etl.extract.walk.asking import AnswerError, Asking
from etl.extract.walk.connectors import connector_ids
from etl.extract.walk.pages import REACH, page_of
from etl.extract.walk.parts import Part
from etl.extract.walk.point import INDEX, PointReader
from etl.extract.wire import NoAnswerError
from etl.model import AnswerKind
from etl.settings import has_credentials
from etl.settings.reach import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from etl.extract.wire import Response
    from etl.settings import Connection

NAMES: Final = (
    "address", "connection", "certificate", "answer", "credentials", "version", "clock", "privilege", "list", "index",
)  # fmt: skip

_NEEDED: Final = frozenset(NAMES) - {"clock", "list"}
_TWICE: Final = RetryPolicy(max_attempts=2, deadline_s=30.0)
_UNKNOWN_ID: Final = "etl-doctor"  # of no job: that it is not found proves that one could be read
_SOON: Final = timedelta(days=30)
_SLIGHT_S: Final = 60.0
_LONGEST: Final = 600  # characters of a line
_UNAUTHENTICATED: Final = frozenset({401, 407})
_FORBIDDEN: Final = 403
_OK: Final = 200


class ClusterDoctor:
    """Checks a cluster.

    Args:
        connection: how it is reached.
        terms: of the run.

    Attributes:
        facts: who the cluster is, once that is known.

    Raises:
        UsageError: the connection cannot be used.
    """

    def __init__(self, connection: Connection, terms: Terms) -> None:
        self.facts: ClusterFacts | None = None
        self._connection = connection
        self._terms = terms
        self._client = Client(connection)
        self._door: Door = door_of(connection)
        self._first: Response
        self._asked_at: datetime
        self._count = 0
        self._job_id: str | None = None

    def checks(self) -> Iterator[Check]:
        """Make the checks, each once."""
        steps = (
            self._address, self._look_at_connection, self._certificate, self._answer, self._credentials, self._version,
            self._clock, self._privilege, self._list, self._index,
        )  # fmt: skip
        with self._client:
            yield from chain(zip(NAMES, steps, strict=True), needed=_NEEDED, mask=self._line)

    def _line(self, text: str) -> str:
        return one_line(text, self._client.mask, _LONGEST)

    def _address(self) -> Told:
        sent, door = self._client.sent, self._door
        said = f"{self._connection.url}; sent is {sent}"
        if has_credentials(self._connection) and not door.is_secure and not is_loopback(door.host):
            return warning(f"{said}, unencrypted, as --insecure-http allows: use https on networks of others")
        return ok(said)

    def _look_at_connection(self) -> Told:
        if self._door.proxy is not None:
            return skipped(f"requests go through the proxy {self._door.proxy}: see the answer")
        try:
            knock(self._door, self._connection)
        except UnreachableError as error:
            return wrong(str(error))
        return ok(f"{self._door} is open")

    def _certificate(self) -> Told:
        if not self._door.is_secure:
            return skipped("there is none: the address is plain http")
        if self._door.proxy is not None:
            return skipped(f"requests go through the proxy {self._door.proxy}: see the answer")
        try:
            until = expiry(self._door, self._connection)
        except UnreachableError as error:
            return wrong(str(error))
        left = until - datetime.now(UTC)
        said = f"trusted, valid until {until:%Y-%m-%d}"
        if left < _SOON:
            return warning(f"{said}, {left.days} days from now: have it renewed in time")
        return ok(said)

    def _answer(self) -> Told:
        try:
            if self._ask().status in RETRIED_STATUSES:
                cluster_facts(self._client, stop=Event(), policy=_TWICE)  # raises what a run would end with
                self._ask()
        except NoAnswerError as error:
            return wrong(advised(error, self._connection))
        except EtlError as error:
            return wrong(str(error))
        status, who = self._first.status, asker(self._client)
        envelope = read_envelope(self._first.body)
        if status in RETRIED_STATUSES:
            return warning(f"it answers now and then: is it overloaded? ({describe(self._first, envelope, who.mask)})")
        if status == _OK and b'"version"' not in self._first.body:
            return wrong(str(not_elasticsearch(self._first, envelope, who)))
        wrong_place = fatal_error(self._first, envelope, who)
        if isinstance(wrong_place, UnreachableError):
            return wrong(str(wrong_place))
        if status not in {_OK, _FORBIDDEN, *_UNAUTHENTICATED}:
            said = not_elasticsearch(self._first, envelope, who)
            return warning(f"{said}; the checks below tell whether jobs can be read all the same")
        return ok(f"it answers as Elasticsearch does; requests are carried by {self._client.choice}")

    def _ask(self) -> Response:
        self._first = self._client.request("GET", "/")
        self._asked_at = datetime.now(UTC)
        return self._first

    def _credentials(self) -> Told:
        if self._first.status in _UNAUTHENTICATED:
            return wrong(str(fatal_error(self._first, read_envelope(self._first.body), asker(self._client))))
        if not has_credentials(self._connection):
            return warning("none are sent, none are asked for: whoever reaches the cluster can read what jobs carry")
        if self._first.status not in {_OK, _FORBIDDEN}:
            return skipped(f"whether {self._client.sent} is accepted shows below: see the privilege")
        return ok(f"{self._client.sent} is accepted")

    def _version(self) -> Told:
        try:
            facts = self.facts = cluster_facts(self._client, stop=Event(), policy=_TWICE)
        except EtlError as error:
            return wrong(str(error))
        if facts.version is None:
            host = urlsplit(self._connection.url).netloc
            return ok(
                f"{self._client.sent} may not read it, which is no fault; with the cluster privilege monitor a dataset "
                f"would know the cluster by its UUID, not as {host}"
            )
        return ok(f"Elasticsearch {facts.version}{' (serverless)' if facts.build_flavor == 'serverless' else ''}")

    def _clock(self) -> Told:
        try:
            theirs = parsedate_to_datetime(self._first.headers.get("Date", ""))
        except ValueError:
            return skipped("the answers carry no time to compare this machine's with")
        ahead_s = (self._asked_at - theirs.astimezone(UTC)).total_seconds()
        said = f"this machine is {_span(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} what answers"
        if abs(ahead_s) <= _SLIGHT_S:
            return ok(f"{said}")
        said += ": set the clocks by NTP"
        if abs(ahead_s) < self._terms.settle_s:
            return warning(said)
        if ahead_s < 0:
            return wrong(f"{said}; --since and fetched_at are that far off")
        return wrong(f"{said}; jobs settle that much too early, before a slow worker has written its last (--settle)")

    def _privilege(self) -> Told:
        assert self.facts is not None  # noqa: S101 - the version comes first
        told = self._get(_UNKNOWN_ID)
        if told is not None:
            return wrong(told)
        privilege = missing_privilege("", self.facts.version)
        return ok(f"{self._client.sent} may read sync jobs; that takes {privilege}")

    def _get(self, job_id: str) -> str | None:
        """Say why a job cannot be read; None where it can, or is not there."""
        who = asker(self._client, None if self.facts is None else self.facts.version)
        try:
            verdict = judge(job_id, self._client.get_job(job_id), who)
        except EtlError as error:
            return str(error)
        if verdict.fatal is not None:
            return str(verdict.fatal)
        return verdict.reason if verdict.kind in {AnswerKind.FAILED, AnswerKind.REJECTED} else None

    def _asking(self) -> Asking:
        version = None if self.facts is None else self.facts.version
        return Asking(self._client, stop=Event(), version=version, policy=_TWICE)

    def _list(self) -> Told:
        asking = self._asking()
        try:
            page = page_of(asking, Part(), start=0, size=1)
            connectors, lacks = connector_ids(asking)
        except EtlError as error:
            return wrong(f"{error}; `etl run --all`, `etl discover` and --strategy page need it")
        self._count = page.count
        jobs = (
            f"{page.count:,} jobs or more, for counting ends there" if page.count >= REACH else f"{page.count:,} jobs"
        )
        said = f"{jobs}, {len(connectors):,} connectors"
        if not page.items:
            return warning(f"{said}: is this the right cluster?")
        job = page.items[0]
        self._job_id = job.id
        problem = job.problem or self._get(job.id)
        if problem is not None:
            return wrong(f"{said}; job {job.id} cannot be read: {problem}")
        if lacks is not None:
            return warning(f"{jobs}; {lacks}")
        created = self._terms.time_of(job.created_at)
        early_s = 0.0 if created is None else (created - page.at).total_seconds()
        if early_s > self._terms.overlap_s:
            return warning(
                f"{said}; job {job.id} was created {_span(early_s)} in the future: set the clocks of the connectors' "
                "machines by NTP, and give --overlap that long until then"
            )
        return ok(f"{said}; job {job.id} was read")

    def _index(self) -> Told:
        gain = (
            "with it, --strategy mget gets 500 ids a request, and `etl run --all` reads past the 10,000 jobs that the "
            "list shows"
        )
        asking = self._asking()
        try:
            for answers in ManyGetter(asking).get([self._job_id or _UNKNOWN_ID]):
                problem = next((answer.reason for answer in answers if answer.reason), None)
                if problem is not None:
                    return warning(f"{problem}; {gain}")
            with closing(PointReader(asking, page_size=1, ids_only=True).read(Part(), JobFilters())) as reading:
                total = next(reading).total
        except (RefusedError, AnswerError) as error:
            if self._count < REACH:
                return ok(f"{INDEX} may not be read, which is no fault; {gain} ({error})")
            return warning(f"{INDEX} may not be read; {gain} ({error})")
        except EtlError as error:
            return warning(f"{error}; {gain}")
        return ok(f"{INDEX} may be read: {total:,} jobs; --strategy mget works, and `etl run --all` reads every job")


def _span(seconds: float) -> str:
    """Say a number of seconds as people do.

    >>> _span(4), _span(59), _span(5400), _span(400000)
    ('4 s', '59 s', '1.5 h', '4.6 d')
    """
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
