"""What a handle of libcurl is told once: all that requests share. Nothing of the environment is heard."""

from __future__ import annotations

import math
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pycurl
import requests.utils

if TYPE_CHECKING:
    from etl.extract.transport.request import Route

_NO_PARTIAL_CHAIN: Final = 1 << 2  # CURLSSLOPT_NO_PARTIALCHAIN, for which pycurl long had no name


@dataclass(frozen=True, kw_only=True, slots=True)
class _TlsOptions:
    """Numbers of libcurl's options for TLS to one side.

    Attributes:
        version: the oldest of TLS.
        verifies: whether the certificate is judged.
        compares: whether its name is.
        bundle: file of authorities.
        folder: of authorities.
        more: flags.
    """

    version: int
    verifies: int
    compares: int
    bundle: int
    folder: int
    more: int


_OF_CLUSTER: Final = _TlsOptions(
    version=pycurl.SSLVERSION,
    verifies=pycurl.SSL_VERIFYPEER,
    compares=pycurl.SSL_VERIFYHOST,
    bundle=pycurl.CAINFO,
    folder=pycurl.CAPATH,
    more=pycurl.SSL_OPTIONS,
)
_OF_PROXY: Final = _TlsOptions(
    version=pycurl.PROXY_SSLVERSION,
    verifies=pycurl.PROXY_SSL_VERIFYPEER,
    compares=pycurl.PROXY_SSL_VERIFYHOST,
    bundle=pycurl.PROXY_CAINFO,
    folder=pycurl.PROXY_CAPATH,
    more=pycurl.PROXY_SSL_OPTIONS,
)


def handle_for(route: Route, *more: str) -> pycurl.Curl:
    """Return a new handle.

    Args:
        route: that requests take.
        more: header lines beside those of the route.
    """
    handle = pycurl.Curl()
    connection = route.connection
    lines = [*(f"{name}: {value}" for name, value in route.headers.items()), *more, "Expect:"]
    for option, value in (
        (pycurl.HTTPHEADER, lines),
        (pycurl.NOSIGNAL, 1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.HTTP09_ALLOWED, 0),
        (pycurl.HTTP_CONTENT_DECODING, 0),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.CONNECTTIMEOUT_MS, max(1, math.ceil(connection.connect_timeout_s * 1000))),
    ):
        handle.setopt(option, value)
    _set_proxy(handle, route)
    if route.trust is not None:
        _set_trust(handle, route, route.trust, _OF_CLUSTER)
    return handle


def _set_proxy(handle: pycurl.Curl, route: Route) -> None:
    proxy = requests.utils.select_proxy(route.connection.url, dict(route.connection.proxies)) or ""
    handle.setopt(pycurl.PROXY, proxy)  # without a scheme it is http, as for requests; empty is none at all
    handle.setopt(pycurl.NOPROXY, "")
    handle.setopt(pycurl.HEADEROPT, pycurl.HEADER_SEPARATE)
    if route.trust is not None and proxy.lower().startswith("https:"):
        _set_trust(handle, route, route.trust, _OF_PROXY)


def _set_trust(handle: pycurl.Curl, route: Route, trust: ssl.SSLContext, names: _TlsOptions) -> None:
    """Trust what Python's own context does, and no authority that libcurl was built with."""
    handle.setopt(names.version, pycurl.SSLVERSION_TLSv1_2)
    handle.setopt(names.verifies, 1)
    handle.setopt(names.compares, 2)
    for option, path in ((names.bundle, _bundle(route)), (names.folder, _folder(route))):
        if path is None:
            handle.unsetopt(option)
        else:
            handle.setopt(option, path)
    if not trust.verify_flags & ssl.VERIFY_X509_PARTIAL_CHAIN:
        handle.setopt(names.more, _NO_PARTIAL_CHAIN)


def _bundle(route: Route) -> str | None:
    path = route.connection.ca_certs
    if path is None:
        return str(requests.utils.DEFAULT_CA_BUNDLE_PATH)
    return None if path.is_dir() else str(path)


def _folder(route: Route) -> str | None:
    path = route.connection.ca_certs
    return str(path) if path is not None and path.is_dir() else None
