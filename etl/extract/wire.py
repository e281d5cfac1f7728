"""What a request ends with: a response, or one of our errors; the one place that reads the HTTP libraries' exceptions.

Its texts are not passed on: they may show the URL of a proxy with its password.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import requests
import urllib3

from etl.errors import EtlError, UnreachableError, UsageError
from etl.extract.address import Door, remedy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """An answer, read to its end.

    Attributes:
        status: the HTTP status.
        headers: by name, in any case.
        body: decoded (gzip undone), unredacted.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(UnreachableError):
    """No whole answer came: no connection, a time-out, a cut body. Asking again may help.

    Args:
        message: what happened.
        status: of the answer whose body did not come whole; None where no answer began.
        remedy: what to do, as the end of a sentence; None where that is not plain.
    """

    def __init__(self, message: str, status: int | None = None, remedy: str | None = None) -> None:
        super().__init__(message, status, remedy)
        self.status = status
        self.remedy = remedy

    @classmethod
    def packed(cls, door: Door, status: int) -> Self:
        """Return the error of an answer whose body is packed in a way that was not asked for."""
        return cls(f"{door}: the answer is packed in a way that was not asked for", status)

    def __str__(self) -> str:
        return str(self.args[0])


class TooLargeError(NoAnswerError):
    """The answer is larger than what is read. Asking again does not help."""

    @classmethod
    def beyond(cls, limit: int, door: Door, status: int) -> Self:
        """Return the error of an answer of more than so many bytes."""
        return cls(f"{door}: the answer is larger than {limit} bytes", status)


class LibcurlError(Exception):
    """A failure that libcurl tells by its number alone, where the system has no word for it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


_UNKNOWN_AUTHORITY: Final = "give the authority that signed it as ELASTICSEARCH_CA_CERTS"
_OTHER_NAME: Final = "let ELASTICSEARCH_URL name the cluster as its certificate does"
_CERTIFICATE_REMEDIES: Final = {  # by OpenSSL's X509_V_ERR_*
    9: "it is not valid yet: is the clock of this machine right?",
    10: "it has expired, or the clock of this machine is wrong: the cluster needs a new one",
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}


def translated(error: Exception, *, door: Door, status: int | None) -> EtlError:
    """Say in our words what the HTTP library raised.

    Args:
        error: one of requests or urllib3, or what libcurl's would be there.
        door: where the request was sent.
        status: of the answer that was being read; None before its head was whole.

    Returns:
        NoAnswerError where asking again may help; UnreachableError for a certificate that is not trusted; UsageError
        for a proxy that cannot be used.
    """
    if isinstance(error, requests.exceptions.InvalidSchema | requests.exceptions.InvalidURL):
        return UsageError(
            f"the proxy for {door} cannot be used ({type(error).__name__}): check HTTP_PROXY, HTTPS_PROXY"
        )
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            todo = _CERTIFICATE_REMEDIES.get(cause.verify_code, _UNKNOWN_AUTHORITY)
            return UnreachableError(f"{door}: its certificate is not trusted ({cause.verify_message}): {todo}")
    if status is not None:
        return NoAnswerError(f"{door}: the answer was cut off ({_said(causes)})", status)
    through = " through the proxy" if any(isinstance(cause, urllib3.exceptions.ProxyError) for cause in causes) else ""
    return NoAnswerError(f"{door}: no answer{through} ({_said(causes)})", remedy=remedy(causes, door))


def _said(causes: list[BaseException]) -> str:
    """Choose the most telling cause: the system's own word, else the kind of the innermost error."""
    for cause in reversed(causes):
        if isinstance(cause, socket.gaierror):
            return "the name is not known"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {cause.reason or type(cause).__name__}"
        if isinstance(cause, OSError) and cause.errno is not None:
            return os.strerror(cause.errno)
    for cause in causes:
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
            return "the connection did not stand in time"
        if isinstance(cause, urllib3.exceptions.ReadTimeoutError | TimeoutError):
            return "nothing more came in time"
        if isinstance(cause, LibcurlError):
            return f"error {cause.code} of libcurl"
    return type(causes[-1]).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all it was raised from, the innermost last; the library also keeps causes in arguments."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        nested = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        pending.extend(cause for cause in nested if isinstance(cause, BaseException))
