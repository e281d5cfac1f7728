"""Connections on their way to other machines: without secrets, and filled there with what those machines hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from etl.errors import UsageError
from etl.settings.objects import CREDENTIALS, Connection
from etl.settings.reach import ConnectionFlags, connection

if TYPE_CHECKING:
    from collections.abc import Mapping

_LIMITS = (
    "concurrency",
    "connect_timeout_s",
    "read_timeout_s",
    "max_attempts",
    "id_deadline_s",
    "retry_after_cap_s",
    "max_response_bytes",
)


def has_credentials(given: Connection) -> bool:
    """Tell whether requests are signed."""
    return given.api_key is not None or given.password is not None


def without_secrets(given: Connection) -> Connection:
    """Return address and limits alone: neither credentials, nor proxies, whose URLs may hold some, nor paths."""
    return replace(
        given,
        api_key=None,
        username=None,
        password=None,
        credentials_from=CREDENTIALS,
        ca_certs=None,
        proxies={},
    )


def with_own(given: Connection, *, signed: bool, environment: Mapping[str, str] | None = None) -> Connection:
    """Fill a connection without secrets with credentials, certificates and proxies of this program's environment.

    Args:
        given: address and limits; whether credentials may travel to that address was decided where it was given.
        signed: whether credentials are needed.
        environment: see `etl.settings.reach.connection`.

    Raises:
        UsageError: credentials are needed and there are none, or what the environment says of them is malformed.
    """
    flags = ConnectionFlags(url=given.url, insecure_http=True)
    own = connection(flags, environment, limits={name: getattr(given, name) for name in _LIMITS})
    if signed and not has_credentials(own):
        msg = f"no credentials for {given.url} in the environment there: start it with {CREDENTIALS} set"
        raise UsageError(msg)
    return own
