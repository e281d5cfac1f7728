"""What the cluster says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl import jsontext
from etl.errors import EtlError, UnreachableError
from etl.extract.answers import RETRIED_STATUSES
from etl.extract.reasons import describe, one_line, read_envelope
from etl.extract.refusals import asker, fatal_error, version_of
from etl.extract.retry import RetryPolicy, Surroundings, persist, policy_of
from etl.extract.wire import NoAnswerError, TooLargeError

if TYPE_CHECKING:
    from threading import Event

    from etl.extract.client import Client
    from etl.extract.wire import Response

OLDEST = (8, 12)
"""The first version with connector sync jobs in its API."""

_OK = 200
_FORBIDDEN = 403


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterFacts:
    """Who answers at the URL; what it does not say, or may not be read, is None.

    Attributes:
        uuid: of the cluster.
        version: as it gives it, "9.1.2".
        build_flavor: "default", or "serverless", whose version says nothing.
    """

    uuid: str | None = None
    version: str | None = None
    build_flavor: str | None = None


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
        UnreachableError: nothing answers, the address redirects, or the version is older than 8.12.
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
    if look.error is not None:
        raise look.error
    if look.response is None or look.response.status == _FORBIDDEN:
        return ClusterFacts()  # it needs the cluster privilege `monitor`, which reading sync jobs does not
    facts = _facts(look.response.body)
    version = version_of(facts.version)
    if version is not None and version < OLDEST and facts.build_flavor != "serverless":
        msg = f"{client.connection.url} is Elasticsearch {facts.version}: connector sync jobs need 8.12 or later"
        raise UnreachableError(msg)
    return facts


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
    # A page of something in between hides the identity of the cluster, by which a dataset knows its source.
    hides = response.status == _OK and not isinstance(_json(response.body), dict)
    return _Look(response=response, error=fatal_error(response, envelope, who), again=hides)


def _facts(body: bytes) -> ClusterFacts:
    value = _json(body)
    root = value if isinstance(value, dict) else {}
    version = root.get("version")
    build = version if isinstance(version, dict) else {}
    uuid = _text(root.get("cluster_uuid"))
    return ClusterFacts(
        uuid=None if uuid == "_na_" else uuid,  # a node that has not yet joined its cluster
        version=_text(build.get("number")),
        build_flavor=_text(build.get("build_flavor")),
    )


def _json(body: bytes) -> jsontext.JsonValue:
    """Decode a body; None where it is no JSON."""
    try:
        return jsontext.decode(body)
    except jsontext.NotJsonError:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
