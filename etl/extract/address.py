"""Where a cluster is knocked at, and what to do where nobody opens."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import requests.utils
import urllib3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.settings import Connection

_USUAL_PORT: Final = 9200
_PORTS: Final = {"http": 80, "https": 443}
_LISTENING: Final = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError)  # somebody there hung up
_REMEDIES: Final[dict[tuple[type[BaseException], ...], str]] = {  # the first that fits
    (socket.gaierror,): "check the spelling in ELASTICSEARCH_URL, and whether this machine resolves such names",
    (ssl.SSLError,): "where the cluster serves plain http, let ELASTICSEARCH_URL begin with http://",
    (urllib3.exceptions.ReadTimeoutError,): (
        "is the cluster overloaded, or is it no Elasticsearch that listens there? --read-timeout waits longer"
    ),
    (TimeoutError,): (
        "is there a firewall in between, or another machine at ELASTICSEARCH_URL? --connect-timeout waits longer"
    ),
}


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
        port=parts.port or _PORTS.get(parts.scheme, 0),
        is_secure=parts.scheme == "https",
        proxy=None if proxy is None else split_proxy(proxy).hostname,
    )


def split_proxy(proxy: str) -> SplitResult:
    """Take the URL of a proxy apart; the environment may name one without a scheme.

    Raises:
        ValueError: it is malformed.

    >>> split_proxy("user@proxy.example.org:3128").hostname
    'proxy.example.org'
    """
    return urlsplit(proxy if "://" in proxy else f"//{proxy}")


def remedy(causes: Sequence[BaseException], door: Door) -> str | None:
    """Return what to do where no answer came; None where only a look at what listens there could tell.

    Args:
        causes: of the failure, the innermost last.
        door: that was knocked at.
    """
    if door.proxy is not None:
        return f"does the proxy {door.proxy} reach the cluster? Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY"
    for kinds, text in _REMEDIES.items():
        if any(isinstance(cause, kinds) for cause in causes):
            return text
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        usual = "" if door.port == _USUAL_PORT else f" (Elasticsearch's own is {_USUAL_PORT})"
        return f"is the cluster up, and is this its port{usual}? Correct ELASTICSEARCH_URL if not"
    if any(isinstance(cause, OSError) and not isinstance(cause, _LISTENING) and cause.errno for cause in causes):
        return "check the network of this machine, and ELASTICSEARCH_URL"
    return None
