"""Who may ask the sandbox for what: API keys, users, and the privileges that each version asks for."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.sandbox import replies
from etl.sandbox.indices import CONNECTORS_INDEX, JOBS_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.sandbox.replies import Reply

Version = tuple[int, int]

_BY_INDEX_SINCE: Version = (8, 13)
_BY_CLUSTER_SINCE: Version = (9, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """An API key of the sandbox; its secret is public and opens nothing else.

    Attributes:
        privileges: names of privileges; `all` grants everything.
    """

    id: str
    secret: str
    user: str = "elastic"
    privileges: frozenset[str] = frozenset({"all"})

    @property
    def encoded(self) -> str:
        """The form that the Authorization header takes."""
        return base64.b64encode(f"{self.id}:{self.secret}".encode()).decode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks: how Elasticsearch names them in an error, and what they may do."""

    name: str
    privileges: frozenset[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Need:
    """What a route asks of its caller.

    Attributes:
        granted_by: privileges, each of which is enough.
        kind: `cluster` or `index`.
        indices: the index that is meant, where it is an index privilege.
    """

    action: str
    granted_by: tuple[str, ...]
    kind: str = "cluster"
    indices: str | None = None


_EVERYTHING = frozenset({"all"})
ANYONE = Caller(name="anonymous", privileges=_EVERYTHING)
"""The caller where security is off."""


def connector_need(verb: str, version: Version) -> Need:
    """Return what a version asks for reading connectors and their jobs.

    Args:
        verb: the end of the action's name, such as `sync_job/get` or `list`.
        version: major and minor.
    """
    if _BY_INDEX_SINCE <= version < _BY_CLUSTER_SINCE:
        return Need(
            action="indices:data/read/get" if verb.endswith("get") else "indices:data/read/search",
            granted_by=("read", "all"),
            kind="index",
            indices=JOBS_INDEX if verb.startswith("sync_job/") else CONNECTORS_INDEX,
        )
    granted_by = ("manage", "all") if version < _BY_INDEX_SINCE else _MONITORS
    return Need(action=f"cluster:admin/xpack/connector/{verb}", granted_by=granted_by)


def index_need(action: str, indices: str) -> Need:
    """Return what every version asks for reading an index itself.

    Args:
        action: the end of the action's name, such as `search`.
        indices: as the request names them.
    """
    return Need(action=f"indices:data/read/{action}", granted_by=("read", "all"), kind="index", indices=indices)


_MONITORS = ("monitor_connector", "manage_connector", "manage", "all")


def identify(header: str | None, uri: str, keys: Mapping[str, ApiKey], users: Mapping[str, str]) -> Caller | Reply:
    """Return who sent an Authorization header, or the 401.

    Args:
        header: the header's value; None without.
        uri: path and query as sent, for the message.
        keys: API keys by their encoded form.
        users: passwords by user name. No keys and no users: security is off.
    """
    if not keys and not users:
        return ANYONE
    if header is None:
        return replies.unauthenticated(f"missing authentication credentials for REST request [{uri}]")
    scheme, _, credentials = header.partition(" ")
    if scheme.lower() == "apikey":
        return _by_key(credentials.strip(), keys)
    if scheme.lower() == "basic":
        return _by_password(credentials.strip(), uri, users)
    return replies.unauthenticated(_UNABLE)


_UNABLE = "unable to authenticate with provided credentials and anonymous access is not allowed for this request"


def _by_key(encoded: str, keys: Mapping[str, ApiKey]) -> Caller | Reply:
    key = keys.get(encoded)
    if key is not None:
        return Caller(name=f"API key id [{key.id}] of user [{key.user}]", privileges=key.privileges)
    key_id, separator, _ = _decoded(encoded).partition(":")
    why = f"unable to find apikey with id {key_id}" if separator else "invalid ApiKey value"
    return replies.unauthenticated(_UNABLE, additional_unsuccessful_credentials=f"API key: {why}")


def _by_password(encoded: str, uri: str, users: Mapping[str, str]) -> Caller | Reply:
    name, _, password = _decoded(encoded).partition(":")
    if name in users and users[name] == password:
        return Caller(name=f"user [{name}]", privileges=_EVERYTHING)
    return replies.unauthenticated(f"unable to authenticate user [{name}] for REST request [{uri}]")


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def refusal(caller: Caller, need: Need) -> Reply | None:
    """Return the 403 for a caller who lacks the privilege; None where they have it."""
    if caller.privileges & {"all", *need.granted_by}:
        return None
    where = f" on indices [{need.indices}]" if need.indices else ""
    return replies.unauthorized(
        f"action [{need.action}] is unauthorized for {caller.name}{where}, this action is granted by the {need.kind} "
        f"privileges [{','.join(need.granted_by)}]"
    )
