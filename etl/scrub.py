"""Masks secrets in text, for every place that text can leave by: tables, raw files, logs, messages, the report.

Two kinds of knowledge: what a secret looks like (`text`), and which secrets are known (`Masker`). Both leave masked
text as it is, so masking twice changes nothing.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "[redacted]"

# A parameter whose name ends like this carries a secret. No prefix is matched, so that a text is read once only.
_PARAMETER_NAME = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|credentials?|signature|authorization|cookie|jwt"
    r"|(?:api|app|account|access|private|secret|shared|signing|encryption|master|storage)[_ -]?key"
    r"|[_-]key|(?<![a-z])(?:sig|sas|code_verifier|sessionid))s?"
)
_PARAMETER = re.compile(
    rf"(?P<name>{_PARAMETER_NAME})(?P<sep>\\*[\"']?\s{{0,3}}[=:]\s{{0,3}})"
    r"(?:(?P<quote>\\*[\"'])(?P<quoted>.{0,8192}?)(?<!\\)(?P=quote)"
    r"|(?P<scheme>(?:bearer|basic|apikey|token|negotiate|digest)\s{1,3})?(?P<plain>[^\s,;&\"']+))",
    re.IGNORECASE | re.DOTALL,
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_BEARER = re.compile(r"\b(?P<scheme>bearer\s{1,3}[\"']?)(?P<token>[^\s\"',;]{6,})", re.IGNORECASE)
_SCHEME = re.compile(r"\b(?P<scheme>(?:basic|apikey|token)\s{1,3})(?P<token>[A-Za-z0-9+/_=.-]{8,})", re.IGNORECASE)
# Tokens that are known by their form alone: JSON web tokens, AWS key ids, GitHub, GitLab, Slack, Google.
_KNOWN_FORM = re.compile(
    r"(?<![\w-])(?:eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|A[KS]IA[0-9A-Z]{16}|gh[pousr]_\w{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{30,}|ya29\.[\w.-]{20,})"
)
_URL_TOKEN = re.compile(r"[^\s\"'<>]+")
_QUERY_VALUE = re.compile(r"(?<==)[^&;#]+")
_PORT = re.compile(r"\d*(?:[/?#]|\Z)")


def text(value: str) -> str:
    """Mask what looks like a secret: private keys, URL userinfo and query values, tokens, `password=` and the like.

    >>> text("cannot reach mongodb://ana:s3cret@db:27017/x?authSource=admin")
    'cannot reach mongodb://[redacted]@db:27017/x?authSource=[redacted]'
    >>> text("login failed (password=hunter2, user=ana)")
    'login failed (password=[redacted], user=ana)'
    """
    if "-----BEGIN" in value:
        value = _PRIVATE_KEY.sub(MASK, value)
    if "://" in value:
        value = _URL_TOKEN.sub(_mask_url, value)
    if "=" in value or ":" in value:
        value = _PARAMETER.sub(_mask_parameter, value)
    value = _BEARER.sub(rf"\g<scheme>{MASK}", value)
    value = _SCHEME.sub(_mask_scheme, value)
    return _KNOWN_FORM.sub(MASK, value)


def secret_parts(value: str) -> Iterator[str]:
    """Yield what `text` would mask inside a value: passwords of URLs, secret parameters, private keys, tokens."""
    for match in _PRIVATE_KEY.finditer(value):
        yield match[0]
    for token in _URL_TOKEN.findall(value) if "://" in value else ():
        userinfo = _userinfo_end(token.partition("://")[2])
        if userinfo:
            yield token.partition("://")[2][: userinfo - 1].partition(":")[2]
    for match in _PARAMETER.finditer(value):
        yield match["quoted"] or match["plain"] or ""
    for pattern in (_BEARER, _SCHEME):
        for match in pattern.finditer(value):
            if pattern is _BEARER or _is_token(match["token"]):
                yield match["token"]
    for match in _KNOWN_FORM.finditer(value):
        yield match[0]


def _userinfo_end(rest: str) -> int:
    """Return where the host begins in what follows `://`; 0 where there is no userinfo."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return authority.rindex("@") + 1
    # A password with an unescaped / ? or #: the colon is then not followed by a port.
    user, colon, _ = authority.partition(":")
    if colon and "@" in rest and not _PORT.match(rest, len(user) + 1):
        return rest.rindex("@") + 1
    return 0


def _mask_url(match: re.Match[str]) -> str:
    token = match[0]
    if "://" not in token:
        return token
    head, *rests = token.split("://")
    masked = [head]
    for rest in rests:
        end = _userinfo_end(rest)
        masked.append(f"{MASK}@{rest[end:]}" if end else rest)
    token = "://".join(masked)
    start = min((at for at in (token.find("?"), token.find("#")) if at >= 0), default=-1)
    return token if start < 0 else token[:start] + _QUERY_VALUE.sub(MASK, token[start:])


def _mask_parameter(match: re.Match[str]) -> str:
    if match["quote"] is not None:
        return f"{match['name']}{match['sep']}{match['quote']}{MASK}{match['quote']}"
    return f"{match['name']}{match['sep']}{match['scheme'] or ''}{MASK}"


def _is_token(candidate: str) -> bool:
    """Tell a token from the word after "basic" or "token" in prose."""
    return any(c.isdigit() or c == "=" for c in candidate) or not (candidate.islower() or candidate.istitle())


def _mask_scheme(match: re.Match[str]) -> str:
    return f"{match['scheme']}{MASK}" if _is_token(match["token"]) else match[0]


_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET_SYLLABLES = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "apikey", "accesskey", "accountkey",
    "privatekey", "connectionstring", "signature", "bearer",
)  # fmt: skip
_SECRET_WORDS = frozenset({"pass", "auth", "authorization", "cookie", "cookies", "jwt", "sas", "pem", "sig", "otp"})
_SECRET_FIELD_WORDS = frozenset({"key", "keys", "cert", "certificate", "pin", "dsn", "login"})


def is_secret_name(name: str, *, field: bool = False) -> bool:
    """Tell whether a name is one that secrets go by.

    Args:
        name: in any spelling: `client_secret`, `apiKey`, `X-Auth-Token`.
        field: True for a configuration field, where words such as `key` and `certificate` are enough.

    >>> is_secret_name("secretAccessKey"), is_secret_name("key"), is_secret_name("key", field=True)
    (True, False, True)
    """
    compact = re.sub(r"[^a-z0-9]", "", name.lower())
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


_KNOWN_FROM = 3  # what is shorter cannot be told from the text around it; it is withheld where it stands, that is all
_ANYWHERE_FROM = 6  # shorter secrets are masked only as whole words, else every text would be full of masks


class Masker:
    """Masks known secrets in text, in each spelling they take: plain, JSON-escaped, percent-encoded.

    >>> Masker(["p@ss/word"]).text("https://x/?q=p%40ss%2Fword and p@ss/word, user p")
    'https://x/?q=[redacted] and [redacted], user p'
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            if len(secret.strip()) < _KNOWN_FROM:
                continue
            for spelling in {secret, secret.strip()}:
                spellings.add(spelling)
                spellings.add(json.dumps(spelling)[1:-1])
                spellings.add(json.dumps(spelling, ensure_ascii=False)[1:-1])
                encodable = spelling.encode("utf-8", "surrogatepass")
                spellings.add(quote(encodable, safe=""))
                spellings.add(quote_plus(encodable))
        # The longest first, so that a secret within a longer one leaves no rest. What stands in the mask is skipped.
        self._spellings = sorted((s for s in spellings if s and s not in MASK), key=lambda s: (-len(s), s))

    def __bool__(self) -> bool:
        return bool(self._spellings)

    def __repr__(self) -> str:
        return f"Masker({len(self._spellings)} spellings)"

    def knows(self, value: str) -> bool:
        """Tell whether the whole value is a known secret."""
        return value in self._spellings

    def text(self, value: str) -> str:
        """Mask the known secrets, then what looks like one."""
        for spelling in self._spellings:
            if spelling not in value:
                continue
            if len(spelling) >= _ANYWHERE_FROM:
                value = value.replace(spelling, MASK)
            else:
                value = re.sub(rf"(?<!\w){re.escape(spelling)}(?!\w)", MASK, value)
        return text(value)
