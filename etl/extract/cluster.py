"""What the cluster says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl import jsontext
from etl.errors import EtlError, RefusedError, UnreachableError
from etl.extract.answers import RETRIED_STATUSES
from etl.extract.door import advised
from etl.extract.reasons import describe, one_line, read_envelope
from etl.extract.refusals import asker, fatal_error, not_elasticsearch, version_of
from etl.extract.retry import RetryPolicy, Surroundings, persist, policy_of
from etl.extract.wire import NoAnswerError, TooLargeError

if TYPE_CHECKING:
    from threading import Event

    from etl.extract.client import Client
    from etl.extract.refusals import Asker
    from etl.extract.wire import Response

OLDEST = (8, 12)
"""The first version with connector sync jobs in its API."""

_NOT_JOINED = "_na_"
_OK = 200
_FORBIDDEN = 403


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterFacts:
    """Who answers at the URL; what it does not say, or may not be read, is None.

    Attributes:
        uuid: of the cluster.
        version: as it gives it, "9.1.2".
        build_flavor: "default", or "serverless", whose version says nothing.
        hidden: why the UUID is not known, for a dataset that knows its cluster by it; None where it is.
    """

    uuid: str | None = None
    version: str | None = None
    build_flavor: str | None = None
    hidden: EtlError | None = field(default=None, compare=False)


def cluster_facts(
    client: Client, *, stop: Event, policy: RetryPolicy | None = None, world: Surroundings | None = None
) -> ClusterFacts:
    """Ask the cluster who it is; facts that the credentials may not read are None.

    Args:
        client: of the cluster.
        stop: ends the waits between attempts.
        policy: how often to ask; None for that of the connection.
        world: clock, time and chance; None for the real ones.

    Raises:
        UnreachableError: nothing answers, the address redirects, or it is no Elasticsearch 8.12 or later; the message
            names the remedy.
        RefusedError: the credentials are refused.
        UsageError: the proxy cannot be used.
    """
    tried = persist(
        lambda expires_at: _look(client, expires_at),
        policy or policy_of(client.connection),
        nap=stop.wait,
        world=world or Surroundings(),
    )
    look = tried.last
    if isinstance(look.error, NoAnswerError):
        raise UnreachableError(client.mask(advised(look.error, client.connection)))
    if look.error is not None:
        raise look.error
    assert look.response is not None  # noqa: S101 - where there is no error
    return _facts(look.response, asker(client))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    response: Response | None = None
    error: EtlError | None = None
    again: bool = False
    retry_after: str | None = None


def _look(client: Client, expires_at: float) -> _Look:
    try:
        response = client.request("GET", "/", expires_at=expires_at)
    except NoAnswerError as error:
        return _Look(error=error, again=not isinstance(error, TooLargeError))
    envelope = read_envelope(response.body)
    who = asker(client)
    if response.status in RETRIED_STATUSES:
        said = one_line(f"{who.url} is not ready: {describe(response, envelope, client.mask)}", client.mask)
        return _Look(error=UnreachableError(said), again=True, retry_after=response.headers.get("Retry-After"))
    if response.status == _FORBIDDEN:
        return _Look(response=response)
    if response.status == _OK and not _says_version(response.body):
        # A page of something in between: it hides the identity of the cluster, and may pass.
        return _Look(error=not_elasticsearch(response, envelope, who), again=True)
    return _Look(response=response, error=fatal_error(response, envelope, who))


def _facts(response: Response, who: Asker) -> ClusterFacts:
    """Read who answers.

    Raises:
        UnreachableError: it is no Elasticsearch 8.12 or later.
    """
    if response.status != _OK:
        return ClusterFacts(hidden=_hidden(response, who))
    value = _json(response.body)
    root = value if isinstance(value, dict) else {}
    version = root.get("version")
    build = version if isinstance(version, dict) else {}
    uuid, number, flavor = _text(root.get("cluster_uuid")), _text(build.get("number")), _text(build.get("build_flavor"))
    known, is_other = version_of(number), build.get("distribution") == "opensearch"
    if is_other or (known is not None and known < OLDEST and flavor != "serverless"):
        name, needed = ("OpenSearch", "Elasticsearch 8.12") if is_other else ("Elasticsearch", "8.12")
        msg = f"{who.url} is {name} {number}: connector sync jobs need {needed} or later"
        raise UnreachableError(one_line(msg, who.mask))
    if uuid is None or uuid == _NOT_JOINED:
        return ClusterFacts(version=number, build_flavor=flavor, hidden=_hidden(response, who))
    return ClusterFacts(uuid=uuid, version=number, build_flavor=flavor)


def _hidden(response: Response, who: Asker) -> EtlError:
    """Return why the UUID of the cluster is not known, as the rest of a sentence; reading sync jobs needs none."""
    if response.status == _FORBIDDEN:
        said = describe(response, read_envelope(response.body), who.mask)
        return RefusedError(f"{who.sent} may not read it: grant the cluster privilege monitor ({said})")
    if response.status == _OK:
        return UnreachableError(f"{who.url} has not joined its cluster yet: run again later")
    said = describe(response, read_envelope(response.body), who.mask)
    return UnreachableError(f"{who.url} does not tell it: check ELASTICSEARCH_URL and its path ({said})")


def _says_version(body: bytes) -> bool:
    value = _json(body)
    return isinstance(value, dict) and isinstance(value.get("version"), dict)


def _json(body: bytes) -> jsontext.JsonValue:
    """Decode a body; None where it is no JSON."""
    try:
        return jsontext.decode(body)
    except jsontext.NotJsonError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
