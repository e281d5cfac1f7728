"""Answers that end a run: wrong address, refused credentials, a missing privilege, a version that is too old."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from etl.errors import EtlError, RefusedError, UnreachableError
from etl.extract.reasons import Envelope, describe, one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.extract.client import Client
    from etl.extract.wire import Response

JOBS_INDEX = ".elastic-connectors-sync-jobs-v1"

_GRANTED = re.compile(r"granted by the (cluster|index) privileges \[([^\],]+)")
_ON_INDICES = re.compile(r"on indices \[([^\]]+)\]")
_BY_VERSION = (
    ((9, 0), "the cluster privilege monitor_connector"),
    ((8, 13), f"the index privilege read on {JOBS_INDEX}"),
    ((8, 12), "the cluster privilege manage"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Who asked: what a message must say beside the answer.

    Attributes:
        url: of the cluster, without userinfo.
        sent: what was sent as credentials, in words.
        given_as: the settings that these came from, or would.
        mask: masks secrets in text.
        version: of the cluster, where it is known.
    """

    url: str
    sent: str
    given_as: str
    mask: Callable[[str], str]
    version: str | None = None


def asker(client: Client, version: str | None = None) -> Asker:
    """Return who asks through a client."""
    connection = client.connection
    return Asker(
        url=connection.url, sent=client.sent, given_as=connection.credentials_from, mask=client.mask, version=version
    )


def fatal_error(response: Response, envelope: Envelope, who: Asker) -> EtlError | None:
    """Return the error that ends the run, whatever was asked for; None where the answer concerns one request only."""
    said = describe(response, envelope, who.mask)
    status = response.status
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:  # a redirect
        return UnreachableError(one_line(_redirected(response, who), who.mask))
    # A colon behind a word such as "key" is what the masking looks for: the remedy would be masked.
    if status == HTTPStatus.UNAUTHORIZED:
        return RefusedError(f"{who.url} refuses {who.sent}; check {who.given_as} ({said})")
    if status == HTTPStatus.FORBIDDEN:
        return RefusedError(_forbidden(envelope, who, said))
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return RefusedError(f"the proxy in front of {who.url} refuses its credentials; check HTTP_PROXY ({said})")
    if (envelope.reason or "").startswith("no handler found"):
        path = urlsplit(who.url).path
        if path and f"[{path}/" in (envelope.reason or ""):  # else something in between took it off
            return UnreachableError(
                f"{who.url}: Elasticsearch answers there, and knows no {path}; remove that path from ELASTICSEARCH_URL "
                f"({said})"
            )
        return UnreachableError(f"{who.url} is too old: connector sync jobs need Elasticsearch 8.12 ({said})")
    return None


def not_elasticsearch(response: Response, envelope: Envelope, who: Asker) -> UnreachableError:
    """Return the error for a 404 that no Elasticsearch 8.12 or later gives."""
    said = describe(response, envelope, who.mask)
    return UnreachableError(
        f"what answers at {who.url} is no Elasticsearch 8.12 or later: check ELASTICSEARCH_URL and its path ({said})"
    )


def no_jobs_index(response: Response, envelope: Envelope, who: Asker) -> UnreachableError:
    """Return the error for a cluster that has never had a connector sync job."""
    said = describe(response, envelope, who.mask)
    return UnreachableError(
        f"{who.url} has no index of connector sync jobs: is ELASTICSEARCH_URL the right cluster? ({said})"
    )


def _redirected(response: Response, who: Asker) -> str:
    location = response.headers.get("Location")
    if location is None:
        return f"{who.url} answers {response.status} without a target: check ELASTICSEARCH_URL"
    try:
        target = urlsplit(urljoin(who.url + "/", location))
    except ValueError:
        return f"{who.url} redirects ({response.status}) to no URL: check ELASTICSEARCH_URL"
    # Userinfo and query may carry a token.
    shown = f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}"
    return f"{who.url} redirects ({response.status}) to {shown}: give the final address as ELASTICSEARCH_URL"


def _forbidden(envelope: Envelope, who: Asker, said: str) -> str:
    if not envelope.is_object:
        return f"{who.url} forbids the request, in no form of Elasticsearch: a proxy or firewall in front? ({said})"
    return f"{who.url}: {who.sent} needs {missing_privilege(envelope.reason or '', who.version)} ({said})"


def missing_privilege(reason: str, version: str | None) -> str:
    """Name the privilege that reading sync jobs needs: as the cluster says, else by its version.

    >>> missing_privilege("", "8.15.2")
    'the index privilege read on .elastic-connectors-sync-jobs-v1'
    """
    granted = _GRANTED.search(reason)
    if granted is not None:
        kind, least = granted.groups()
        if kind == "cluster":
            return f"the cluster privilege {least}"
        indices = _ON_INDICES.search(reason)
        return f"the index privilege {least} on {indices[1] if indices else JOBS_INDEX}"
    known = version_of(version)
    if known is not None:
        for since, privilege in _BY_VERSION:
            if known >= since:
                return privilege
    return "; ".join(f"{privilege} (from {since[0]}.{since[1]})" for since, privilege in _BY_VERSION)


def version_of(text: str | None) -> tuple[int, int] | None:
    """Read major and minor of a version; None where there is none.

    >>> version_of("9.0.0-SNAPSHOT")
    (9, 0)
    """
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", text or "")
    return (int(match[1]), int(match[2])) if match else None
