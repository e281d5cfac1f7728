"""What libcurl's errors are in Python: the exceptions that the same failure raises there.

They are then put into words as all others are, so that a message does not depend on the transport.
"""

from __future__ import annotations

import errno
import http.client
import ipaddress
import os
import re
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import urllib3

from etl.extract.wire import LibcurlError

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.extract.address import Door

_NO_SUCH_PROXY: Final = 5
_NO_CONNECTION: Final = 7
_TLS_FAILED: Final = 35
_NOT_REPEATED: Final = 42  # the connection that was kept open has died; see `Transfer`
_CLOSED: Final = 52
_NOT_TRUSTED: Final = 60
_CUT: Final = frozenset({18, 56})


def _late_connection() -> Exception:
    error = urllib3.exceptions.ConnectTimeoutError()
    error.__cause__ = TimeoutError()
    return error


_RAISED: Final[dict[int, Callable[[], Exception]]] = {
    1: lambda: http.client.BadStatusLine(""),
    _NO_SUCH_PROXY: lambda: socket.gaierror(socket.EAI_NONAME, ""),
    6: lambda: socket.gaierror(socket.EAI_NONAME, ""),
    8: lambda: http.client.BadStatusLine(""),
    28: _late_connection,  # libcurl watches over nothing else; see `Transfer.due`
    _CLOSED: lambda: http.client.RemoteDisconnected(""),
    61: urllib3.exceptions.DecodeError,
    100: lambda: http.client.LineTooLong("header line"),
}
_OPENED: Final = 200

_X509_HOSTNAME_MISMATCH: Final = 62
_X509_IP_MISMATCH: Final = 64
_REASON: Final = re.compile(r"error:[0-9A-F]{8}:[^:]*:[^:]*:([A-Za-z0-9 /_-]+)")
_OTHER_NAME: Final = re.compile(r"target (?:host ?name|\w+ address) '([^']+)'")
_VERIFY_RESULT: Final = re.compile(r"(?:verify result|certificate problem): ([^()]+)(?:\((\d+)\))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class CurlFailure:
    """How libcurl tells of a failure.

    Attributes:
        code: its CURLE_*.
        said: its text, which is never shown as it stands.
        errno: of the system; 0 without.
        tunnel: status with which a proxy answered to CONNECT; 0 without.
        verified: OpenSSL's X509_V_* about the certificate of the cluster.
    """

    code: int
    said: str
    errno: int = 0
    tunnel: int = 0
    verified: int = 0


def exception_of(failure: CurlFailure, door: Door) -> Exception:
    """Return what Python's own libraries raise where this happens.

    Args:
        failure: as libcurl tells it.
        door: that was knocked at.
    """
    cause = _cause(failure, door)
    if door.proxy is not None and _is_of_proxy(failure, door):
        return urllib3.exceptions.ProxyError("", cause)
    return cause


def read_timeout(door: Door) -> Exception:
    """Return what is raised where nothing more comes in time."""
    return urllib3.exceptions.ReadTimeoutError(urllib3.HTTPConnectionPool(door.host), "", "")


def _is_of_proxy(failure: CurlFailure, door: Door) -> bool:
    if failure.code == _CLOSED:
        return not door.is_secure  # else within the tunnel
    return failure.code in {_NO_SUCH_PROXY, _NO_CONNECTION} or failure.tunnel not in {0, _OPENED}


def _cause(failure: CurlFailure, door: Door) -> Exception:
    code = failure.code
    if code in _RAISED:
        return _RAISED[code]()
    if code == _TLS_FAILED and (_REASON.search(failure.said) or not failure.errno):
        return _tls(failure.said)
    if code == _NOT_TRUSTED:
        return _not_trusted(failure, door.host)
    is_stale = code != _NO_CONNECTION and failure.errno == errno.ECONNREFUSED  # of an address that was tried first
    if failure.errno in errno.errorcode and not is_stale:
        return OSError(failure.errno, os.strerror(failure.errno))
    if code == _NO_CONNECTION or failure.tunnel not in {0, _OPENED}:
        return OSError()
    if code == _NOT_REPEATED:
        return http.client.RemoteDisconnected("")
    return http.client.IncompleteRead(b"") if code in _CUT else LibcurlError(code)


def _tls(said: str) -> ssl.SSLError:
    found = _REASON.search(said)
    error = ssl.SSLError(1, "")
    error.reason = found[1].strip().upper().replace(" ", "_") if found else "SSLError"
    return error


def _not_trusted(failure: CurlFailure, host: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "")
    found = _VERIFY_RESULT.search(failure.said)
    if found:
        error.verify_message, error.verify_code = found[1].strip(), int(found[2] or failure.verified)
        return error
    other = _OTHER_NAME.search(failure.said)
    host = other[1] if other else host  # that of a proxy may differ too
    try:
        ipaddress.ip_address(host)
    except ValueError:
        kind, error.verify_code = "Hostname", _X509_HOSTNAME_MISMATCH
    else:
        kind, error.verify_code = "IP address", _X509_IP_MISMATCH
    error.verify_message = f"{kind} mismatch, certificate is not valid for '{host}'."
    return error
