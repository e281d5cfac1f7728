"""Credentials: how they are sent, what they are called in a message, and what must be masked.

They are `AuthBase` objects because requests lets `~/.netrc` replace a plain Authorization header.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from requests.auth import AuthBase

from etl.errors import UsageError
from etl.extract.address import split_proxy
from etl.settings import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from requests import PreparedRequest

    from etl.settings import Connection

_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


class ApiKeyAuth(AuthBase):
    """Sends an API key in its encoded form.

    Raises:
        UsageError: the key holds what a header cannot carry; the HTTP library would show the key when it finds out.
    """

    def __init__(self, key: Secret) -> None:
        if not _HEADER_SAFE.fullmatch(key.reveal()):
            msg = "the API key holds white space or characters beyond ASCII: give its encoded form"
            raise UsageError(msg)
        self._key = key

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Add the Authorization header."""
        r.headers["Authorization"] = f"ApiKey {self._key.reveal()}"
        return r

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._key})"


class BasicAuth(AuthBase):
    """Sends user name and password as UTF-8, which Elasticsearch expects; requests itself would send Latin-1.

    Raises:
        UsageError: the user name holds a colon, which ends it on the wire.
    """

    def __init__(self, username: str, password: Secret) -> None:
        if ":" in username:
            msg = "a user name cannot hold a colon"
            raise UsageError(msg)
        self._username = username
        self._password = password

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Add the Authorization header."""
        r.headers["Authorization"] = f"Basic {_basic_token(self._username, self._password)}"
        return r

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._username!r}, {self._password})"


def auth_of(connection: Connection) -> AuthBase | None:
    """Return what signs a request; an API key goes before a password.

    Raises:
        UsageError: the credentials cannot be sent.
    """
    if connection.api_key is not None:
        return ApiKeyAuth(connection.api_key)
    if connection.username is not None and connection.password is not None:
        return BasicAuth(connection.username, connection.password)
    return None


def sent_credentials(connection: Connection) -> str:
    """Say what is sent, never its value."""
    if connection.api_key is not None:
        return "the API key"
    if connection.username is not None and connection.password is not None:
        return f"user {connection.username!r} with a password"
    return "a request without credentials"


def secrets_of(connection: Connection) -> Iterator[str]:
    """Yield every spelling of a secret that an answer could echo."""
    if connection.api_key is not None:
        key = connection.api_key.reveal()
        yield key
        yield from _decoded_parts(key)
    if connection.password is not None:
        yield connection.password.reveal()
        if connection.username is not None:
            yield _basic_token(connection.username, connection.password)
    for proxy in connection.proxies.values():
        parts = split_proxy(proxy)
        if parts.password:
            yield parts.password
            yield unquote(parts.password)
            yield _basic_token(unquote(parts.username or ""), Secret(unquote(parts.password)))


def _decoded_parts(key: str) -> Iterator[str]:
    try:
        decoded = base64.b64decode(key, validate=True).decode()
    except ValueError:
        return  # no encoded key; the server will refuse it
    yield decoded
    yield decoded.partition(":")[2]


def _basic_token(username: str, password: Secret) -> str:
    return base64.b64encode(f"{username}:{password.reveal()}".encode()).decode()
