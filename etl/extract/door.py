"""The way to a cluster before any request: its name, its port, its certificate. Each is looked at by itself.

No credential is sent here.
"""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from etl.errors import UnreachableError
from etl.extract.address import Door, door_of
from etl.extract.trust import trust_of
from etl.extract.wire import NoAnswerError, translated

if TYPE_CHECKING:
    from etl.settings import Connection


def knock(door: Door, connection: Connection) -> None:
    """Connect, and hang up.

    Raises:
        UnreachableError: no connection stands; the message names the remedy.
    """
    try:
        socket.create_connection((door.host, door.port), connection.connect_timeout_s).close()
    except OSError as error:
        raise _refused(error, door, connection) from None


def _refused(error: OSError, door: Door, connection: Connection) -> UnreachableError:
    said = translated(error, door=door, status=None)
    return UnreachableError(advised(said, connection) if isinstance(said, NoAnswerError) else str(said))


def advised(error: NoAnswerError, connection: Connection) -> str:
    """Return what happened and what to do; where that is not plain, somebody listens there, and TLS is tried."""
    return f"{error}; {error.remedy or _way_out(door_of(connection), connection)}"


def _way_out(door: Door, connection: Connection) -> str:
    if not door.is_secure and _speaks_tls(door, connection):
        return "TLS is spoken there: let ELASTICSEARCH_URL begin with https://"
    return "is it Elasticsearch that listens there? Check the port in ELASTICSEARCH_URL"


def expiry(door: Door, connection: Connection) -> datetime:
    """Return until when the certificate is valid (UTC), judged by the same authorities as requests are.

    Raises:
        UnreachableError: the certificate is not trusted, or no TLS is spoken; the message names the remedy.
    """
    try:
        with _shaken(door, connection, trust_of(connection)) as secure:
            certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        raise translated(error, door=door, status=None) from None
    except OSError as error:
        said = translated(error, door=door, status=None)
        msg = f"{said}; where the cluster serves plain http, let ELASTICSEARCH_URL begin with http://"
        raise UnreachableError(msg) from None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


def _speaks_tls(door: Door, connection: Connection) -> bool:
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
