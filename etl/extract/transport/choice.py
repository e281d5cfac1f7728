"""Which transport a connection takes, by a plain rule: libcurl where it is installed and reaches the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests.utils

from etl.errors import UsageError
from etl.extract.transport.by_requests import RequestsWire
from etl.settings import Transport
from etl.settings.extras import check_libraries

try:  # here and not where it is used, so that workers are forked with it loaded
    import pycurl

    from etl.extract.transport.by_curl import CurlWire
except ImportError as error:
    _MISSING = "pycurl is not installed" if isinstance(error, ModuleNotFoundError) else "pycurl cannot be loaded"
else:
    _MISSING = ""

if TYPE_CHECKING:
    from etl.extract.transport.request import Route, Wire
    from etl.settings import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """The transport of a connection.

    Attributes:
        transport: REQUESTS or CURL.
        version: of what carries the requests, with its name.
        why: it is not libcurl although that was not ruled out; None otherwise.
    """

    transport: Transport
    version: str
    why: str | None = None

    def __str__(self) -> str:
        return self.version if self.why is None else f"{self.version} ({self.why})"


def choose(connection: Connection) -> Choice:
    """Choose the transport of a connection.

    Raises:
        UsageError: libcurl is asked for, and it is not installed or cannot take this way.
    """
    if connection.transport is Transport.REQUESTS:
        return _by_requests()
    why = _hindrance(connection)
    if why is None:
        return Choice(transport=Transport.CURL, version=f"libcurl {pycurl.version_info()[1]}")
    if connection.transport is Transport.AUTO:
        return _by_requests(why)
    check_libraries("--transport curl", extra="fast", names=("pycurl",))
    msg = f"--transport curl cannot be used, for {why}: leave it out"
    raise UsageError(msg)


def wire_of(choice: Choice, route: Route) -> Wire:
    """Return new connections of one thread."""
    return RequestsWire(route) if choice.transport is Transport.REQUESTS else many_of(route)


def many_of(route: Route) -> CurlWire:
    """Return new connections that one thread sends many requests at once through; for CURL only."""
    return CurlWire(route)


def _hindrance(connection: Connection) -> str | None:
    """Say why libcurl cannot be used; None where it can."""
    if _MISSING:
        return _MISSING
    if not hasattr(pycurl, "PREREQFUNCTION"):
        return "pycurl is older than 7.45.7"
    if "OpenSSL" not in (pycurl.version_info()[5] or ""):  # certificates are told of in its words
        return "pycurl is not built with OpenSSL"
    if not connection.url.isascii():
        return "the address is not written in ASCII"
    proxy: str | None = requests.utils.select_proxy(connection.url, dict(connection.proxies))
    if proxy is not None and "://" in proxy and not proxy.lower().startswith(("http://", "https://")):
        return "the proxy is neither http nor https"
    return None


def _by_requests(why: str | None = None) -> Choice:
    return Choice(transport=Transport.REQUESTS, version=f"requests {requests.__version__}", why=why)
