"""The way to a cluster before any request: its name, its port, its certificate. Each is looked at by itself.

No credential is sent here.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import requests.utils

from etl.errors import UnreachableError
from etl.extract.trust import trust_of
from etl.extract.wire import translated

if TYPE_CHECKING:
    from etl.settings import Connection

_USUAL_PORT: Final = 9200
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """Where a cluster is knocked at.

    Attributes:
        host: name or address.
        port: the one that the URL names, or that of its scheme.
        is_secure: whether TLS is spoken.
        proxy: host of the proxy that requests go through; None where they go straight.
    """

    host: str
    port: int
    is_secure: bool
    proxy: str | None

    def __str__(self) -> str:
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def door_of(connection: Connection) -> Door:
    """Return where a connection leads."""
    parts = urlsplit(connection.url)
    proxy: str | None = requests.utils.select_proxy(connection.url, dict(connection.proxies))
    return Door(
        host=parts.hostname or "",
        port=parts.port or _PORTS[parts.scheme],
        is_secure=parts.scheme == "https",
        proxy=None if proxy is None else urlsplit(proxy if "://" in proxy else f"//{proxy}").hostname,
    )


def knock(door: Door, connection: Connection) -> None:
    """Connect, and hang up.

    Raises:
        UnreachableError: no connection stands; the message names the remedy.
    """
    try:
        socket.create_connection((door.host, door.port), connection.connect_timeout_s).close()
    except OSError as error:
        msg = f"{translated(error, host=str(door), status=None)}; {_remedy(error, door)}"
        raise UnreachableError(msg) from None


def _remedy(error: OSError, door: Door) -> str:
    if isinstance(error, socket.gaierror):
        return "check the spelling in ELASTICSEARCH_URL, and whether this machine resolves such names"
    if isinstance(error, ConnectionRefusedError):
        usual = "" if door.port == _USUAL_PORT else f" (Elasticsearch's own is {_USUAL_PORT})"
        return f"is the cluster up, and is this its port{usual}? Correct ELASTICSEARCH_URL if not"
    if isinstance(error, TimeoutError):
        return "is there a firewall in between, or another machine at ELASTICSEARCH_URL? --connect-timeout waits longer"
    return "check the network of this machine, and ELASTICSEARCH_URL"


def expiry(door: Door, connection: Connection) -> datetime:
    """Return until when the certificate is valid (UTC), judged by the same authorities as requests are.

    Raises:
        UnreachableError: the certificate is not trusted, or no TLS is spoken; the message names the remedy.
    """
    try:
        with _shaken(door, connection, trust_of(connection)) as secure:
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise translated(error, host=str(door), status=None) from None
    except OSError as error:
        said = translated(error, host=str(door), status=None)
        msg = f"{said}; where the cluster serves plain http, let ELASTICSEARCH_URL begin with http://"
        raise UnreachableError(msg) from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def speaks_tls(door: Door, connection: Connection) -> bool:
    """Tell whether TLS is spoken, whoever vouches for the certificate: that is all that is asked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _shaken(door, connection, context).close()
    except OSError:
        return False
    return True


def _shaken(door: Door, connection: Connection, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Connect and shake hands."""
    plain = socket.create_connection((door.host, door.port), connection.connect_timeout_s)
    try:
        return context.wrap_socket(plain, server_hostname=door.host)
    except BaseException:
        plain.close()
        raise
