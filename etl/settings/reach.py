"""How the cluster is reached: flags, then environment, to one connection."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from etl.errors import UsageError
from etl.settings.objects import CREDENTIALS, Connection, Secret, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionFlags:
    """What the command line says of the connection; None where it says nothing. No secret is ever a flag."""

    url: str | None = None
    cloud_id: str | None = None
    api_key_file: str | None = None
    username: str | None = None
    password_file: str | None = None
    ca_certs: str | None = None
    insecure_http: bool = False


VARIABLES = {
    "url": ("ELASTICSEARCH_URL", "ETL_URL", "ES_URL", "ELASTICSEARCH_HOST", "ES_LOCAL_URL"),
    "cloud_id": ("ELASTICSEARCH_CLOUD_ID", "ETL_CLOUD_ID"),
    "api_key": ("ELASTICSEARCH_API_KEY", "ES_API_KEY", "ES_LOCAL_API_KEY"),
    "api_key_file": ("ELASTICSEARCH_API_KEY_FILE", "ETL_API_KEY_FILE"),
    "username": ("ELASTICSEARCH_USERNAME", "ETL_USERNAME"),
    "password": ("ELASTICSEARCH_PASSWORD",),
    "password_file": ("ELASTICSEARCH_PASSWORD_FILE", "ETL_PASSWORD_FILE"),
    "ca_certs": ("ELASTICSEARCH_CA_CERTS", "ETL_CA_CERTS"),
}
"""Setting → its names in the environment: the canonical one, then `ETL_<OPTION>` and those of Elastic's own tools."""

_SECRET_NAMES = frozenset({"api_key", "password"})
_MOST_SECRET_BYTES = 64 << 10  # a device would never end


def connection(
    flags: ConnectionFlags,
    environment: Mapping[str, str] | None = None,
    *,
    limits: Mapping[str, float | int | Transport],
) -> Connection:
    """Build the connection out of flags, then environment.

    Args:
        flags: from the command line; they win.
        environment: variables by name, without proxies; None takes those of this program, proxies included.
        limits: time-outs, attempts, concurrency and transport: the fields of `Connection` of those names.

    Raises:
        UsageError: something is missing, malformed, or two names disagree; the message names them, never a secret.
    """
    variables = os.environ if environment is None else environment
    url = _address(flags, variables)
    url, username, password = _without_userinfo(url, from_flag=flags.url is not None)
    in_url = "user and password in the URL" if username or password else None
    key = None if flags.username or flags.password_file else _secret("api_key", flags.api_key_file, variables)
    word: _Given | None = None
    user_from = in_url
    if not flags.api_key_file:
        user = _Given(flags.username, "--username") if flags.username else _variable("username", variables)
        word = _secret("password", flags.password_file, variables)
        username, password = user.value if user else username, word.value if word else password
        sources = [*(given.name for given in (user, word) if given), *([in_url] if in_url else [])]
        user_from = " and ".join(dict.fromkeys(sources)) or None
    if key and (username or password):
        msg = f"both an API key ({key.name}) and a user ({user_from}) are given; remove one of them"
        raise UsageError(msg)
    if bool(username) != bool(password):
        missing = "ELASTICSEARCH_PASSWORD (or _PASSWORD_FILE)" if username else "ELASTICSEARCH_USERNAME"
        msg = f"basic authentication needs both a user and a password; set {missing}"
        raise UsageError(msg)
    _refuse_plain_http(url, has_credentials=bool(key or password), allowed=flags.insecure_http)
    return Connection(
        url=url,
        api_key=Secret(encoded_api_key(key.value)) if key else None,
        username=username or None,
        password=Secret(password) if password else None,
        credentials_from=(key.name if key else user_from) or CREDENTIALS,
        ca_certs=_ca_certs(flags, variables),
        proxies=_proxies(url) if environment is None else {},
        **limits,  # type: ignore[arg-type]  # the command line names fields of Connection
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """A value of a setting, and by which name it was given."""

    value: str
    name: str


def _variable(name: str, variables: Mapping[str, str]) -> _Given | None:
    """Return the value that a setting has in the environment, under whichever of its names.

    Raises:
        UsageError: two of its names are set to different values.
    """
    found = {key: variables[key].strip() for key in VARIABLES[name] if variables.get(key, "").strip()}
    if len({value.rstrip("/") for value in found.values()}) > 1:
        shown = "" if name in _SECRET_NAMES or "@" in "".join(found.values()) else f" ({', '.join(found.values())})"
        msg = f"{' and '.join(found)} are both set and differ{shown}: unset all but one"
        raise UsageError(msg)
    return next((_Given(value, key) for key, value in found.items()), None)


def _value(name: str, variables: Mapping[str, str]) -> str | None:
    """Return the value alone; see `_variable`."""
    given = _variable(name, variables)
    return given.value if given else None


def _secret(name: str, file_flag: str | None, variables: Mapping[str, str]) -> _Given | None:
    """Return a secret out of the environment or a mounted file."""
    direct = None if file_flag else _variable(name, variables)
    if file_flag:
        file: _Given | None = _Given(file_flag, f"--{name.replace('_', '-')}-file")
    else:
        file = _variable(f"{name}_file", variables)
    if file is None:
        return direct
    content = _content(file, what=name.replace("_", " ").replace("api", "API"))
    if direct is not None and direct.value != content:
        msg = f"{direct.name} and {file.name} are both set and differ: unset one"
        raise UsageError(msg)
    return _Given(content, f"{file.name} ({file.value})")


def _content(file: _Given, *, what: str) -> str:
    """Return what a file of a secret holds, without white space around it."""
    remedy = f"let it hold the {what}, and this account read it"
    try:
        with Path(file.value).open("rb") as stream:
            content = stream.read(_MOST_SECRET_BYTES + 1)
        text = content.decode().strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        msg = f"{file.name}: cannot read {file.value}: {reason}; {remedy}"
        raise UsageError(msg) from error
    if len(content) > _MOST_SECRET_BYTES:
        msg = f"{file.name}: {file.value} holds more than {_MOST_SECRET_BYTES >> 10} KiB; {remedy}"
        raise UsageError(msg)
    if not text:
        msg = f"{file.name}: {file.value} is empty; {remedy}"
        raise UsageError(msg)
    return text


def _address(flags: ConnectionFlags, variables: Mapping[str, str]) -> str:
    url = flags.url or (None if flags.cloud_id else _value("url", variables))
    cloud_id = flags.cloud_id or (None if flags.url else _value("cloud_id", variables))
    if cloud_id:
        from_cloud_id = _cloud_url(cloud_id)
        if url and url.rstrip("/") != from_cloud_id:
            msg = "ELASTICSEARCH_URL and ELASTICSEARCH_CLOUD_ID name different clusters: unset one"
            raise UsageError(msg)
        return from_cloud_id
    if not url:
        msg = (
            "no cluster given: set ELASTICSEARCH_URL (such as https://es.example.org:9200) and ELASTICSEARCH_API_KEY, "
            "or run 'etl demo', which needs neither"
        )
        raise UsageError(msg)
    return url


def _cloud_url(cloud_id: str) -> str:
    """Decode a Cloud ID: `name:base64(host[:port]$elasticsearch[$kibana])`."""
    try:
        decoded = base64.b64decode(cloud_id.rpartition(":")[2], validate=True).decode("ascii")
        host, cluster = decoded.split("$")[:2]
    except (ValueError, binascii.Error) as error:
        msg = "ELASTICSEARCH_CLOUD_ID is malformed: copy it again from the deployment's page"
        raise UsageError(msg) from error
    name, _, port = host.partition(":")
    return f"https://{cluster}.{name}" + (f":{port}" if port and port != "443" else "")


def _without_userinfo(url: str, *, from_flag: bool) -> tuple[str, str | None, str | None]:
    """Check a URL, and split the user and the password off it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = "ELASTICSEARCH_URL is malformed: write it like https://es.example.org:9200"
        raise UsageError(msg) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        shown = "" if "@" in url else f" {url!r}"
        msg = f"ELASTICSEARCH_URL{shown} is no http(s) URL: write it like https://es.example.org:9200"
        raise UsageError(msg)
    if parts.query or parts.fragment:
        msg = "ELASTICSEARCH_URL has a query or a fragment: remove what follows ? or #"
        raise UsageError(msg)
    if parts.password and from_flag:
        msg = "--url carries a password, which every user of this machine can see: use ELASTICSEARCH_PASSWORD_FILE"
        raise UsageError(msg)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    clean = f"{parts.scheme}://{host}" + (f":{port}" if port else "") + parts.path.rstrip("/")
    return clean, unquote(parts.username or "") or None, unquote(parts.password or "") or None


_ENCODED = re.compile(r"[A-Za-z0-9+/_=-]+")


def encoded_api_key(given: str) -> str:
    """Bring an API key to the encoded form of the Authorization header.

    Args:
        given: the encoded form, `id:key`, or the JSON that Elasticsearch returned when it made the key.

    Raises:
        UsageError: it is none of these.

    >>> encoded_api_key("abc:def"), encoded_api_key('{"id":"abc","api_key":"def"}')
    ('YWJjOmRlZg==', 'YWJjOmRlZg==')
    """
    text = given.strip().removeprefix("ApiKey ").strip()
    if text.startswith("{"):
        try:
            answer = msgspec.json.decode(text, type=dict[str, object])
        except msgspec.MsgspecError as error:
            raise UsageError(_API_KEY_FORMS) from error
        if isinstance(answer.get("encoded"), str):
            text = str(answer["encoded"])
        elif isinstance(answer.get("id"), str) and isinstance(answer.get("api_key"), str):
            text = f"{answer['id']}:{answer['api_key']}"
        else:
            raise UsageError(_API_KEY_FORMS)
    if ":" in text and text.isascii() and text.isprintable() and " " not in text:
        return base64.b64encode(text.encode()).decode()
    if not _ENCODED.fullmatch(text):
        raise UsageError(_API_KEY_FORMS)
    return text


_API_KEY_FORMS = (
    "ELASTICSEARCH_API_KEY is malformed: give the encoded form, id:key, or the JSON that Elasticsearch returned"
)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_plain_http(url: str, *, has_credentials: bool, allowed: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and has_credentials and not allowed and not is_loopback(parts.hostname or ""):
        msg = (
            f"credentials would travel unencrypted to {parts.hostname}: use https, or allow it with --insecure-http "
            "where the network is trusted"
        )
        raise UsageError(msg)


def _ca_certs(flags: ConnectionFlags, variables: Mapping[str, str]) -> Path | None:
    given = flags.ca_certs or _value("ca_certs", variables)
    given = given or variables.get("REQUESTS_CA_BUNDLE") or variables.get("CURL_CA_BUNDLE")
    if not given:
        return None
    path = Path(given)
    if not path.exists():
        msg = f"ELASTICSEARCH_CA_CERTS: there is no {path}"
        raise UsageError(msg)
    return path


def _proxies(url: str) -> dict[str, str]:
    """Resolve the environment's proxies once (the client itself does not look at the environment)."""
    from requests.utils import get_environ_proxies  # noqa: PLC0415 - other commands start without requests

    return dict(get_environ_proxies(url))
