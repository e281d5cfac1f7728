"""Names that secrets go by, and values that look like one."""

from __future__ import annotations

import re
from functools import lru_cache

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_SYLLABLES = (
    "password", "passwd", "passphrase", "passcode", "passkey", "pwd", "secret", "token", "credential", "apikey",
    "accesskey", "accountkey", "privatekey", "connectionstring", "signature", "bearer", "kennwort", "passwort",
    "motdepasse", "contrasena", "totp",
)  # fmt: skip
_SECRET_WORDS = frozenset(
    {"pass", "pw", "auth", "authorization", "cookie", "cookies", "jwt", "sas", "pem", "sig", "otp"}
)
_SECRET_FIELD_WORDS = frozenset({"key", "keys", "cert", "certificate", "pin", "dsn", "login", "code", "answer", "seed"})


@lru_cache(maxsize=4096)  # names repeat from job to job
def is_secret_name(name: str, *, field: bool = False) -> bool:
    """Tell whether a name is one that secrets go by.

    Args:
        name: in any spelling: `client_secret`, `apiKey`, `X-Auth-Token`.
        field: True for a configuration field, where words such as `key` and `certificate` are enough.

    >>> is_secret_name("secretAccessKey"), is_secret_name("key"), is_secret_name("key", field=True)
    (True, False, True)
    """
    compact = re.sub(r"[^a-z0-9]", "", name.lower().replace("ñ", "n"))
    if any(syllable in compact for syllable in _SECRET_SYLLABLES):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    if not _SECRET_WORDS.isdisjoint(words):
        return True
    if field:
        return not _SECRET_FIELD_WORDS.isdisjoint(words) or compact.endswith("key")
    return len(words) > 1 and words[-1] in {"key", "keys"}


_NUMBER = re.compile(r"[+-]?[\d.,_ ]+%?")
_PLAIN_WORDS = re.compile(r"[^\W\d_]+(?:[ _-][^\W\d_]+)*")
_HOST = re.compile(
    r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9-]+(?::\d{1,5})?|[A-Za-z][A-Za-z0-9-]*:\d{1,5}|\[[0-9a-fA-F:]+\](?::\d{1,5})?"
)
_PATH = re.compile(r"(?:[A-Za-z]:)?[.~]{0,2}[/\\].*", re.DOTALL)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S*")
_LOOKS_SECRET_FROM = 8


def looks_secret(value: str) -> bool:
    """Tell whether a text could be a secret: eight characters or more and no plain word, number, host, path or URL.

    >>> looks_secret("tr0ub4dor&3"), looks_secret("db.example.org:5432"), looks_secret("/var/data")
    (True, False, False)
    """
    if len(value) < _LOOKS_SECRET_FROM:
        return False
    return not any(form.fullmatch(value) for form in (_NUMBER, _PLAIN_WORDS, _HOST, _PATH, _URL))
