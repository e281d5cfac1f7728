"""What secrets look like in text: parameters, URLs, authorization, keys of known forms.

Every pattern reads a text once: prefixes are bounded or absent, and what a pattern looks at it also consumes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "[redacted]"

# No prefix of the name is matched, so that `db_password` costs nothing; a few endings are.
_NAME = (
    r"(?:pass(?:word|wd|phrase|code|key)|pwd|secret|token|credentials?|signature|authorization|cookie|jwt|kennwort"
    r"|passwort|mot_de_passe|contrase[nñ]a"
    r"|(?:api|app|account|access|private|secret|shared|signing|encryption|master|storage)[_ -]?key"
    r"|[_-]key|(?<![a-z])(?:pw|pass|auth|sig|sas|code_verifier|j?sessionid))s?(?:[_-]?(?:value|id|hash|text|\d{1,3}))?"
)
# A name that is quoted may be followed by a comma: ('password', '...').
_SEPARATOR = (
    r"(?:(?:\\*[\"'])?\s{0,20}(?:=>|:=|->|==|[=:\uff1d\uff1a]|%3D|&#61;)\s{0,20}"
    r"|\\*[\"']\s{0,3},\s{0,3}(?=\\*[\"']))"
)
_PARAMETER = re.compile(
    rf"(?P<name>{_NAME})(?P<separator>{_SEPARATOR})"
    # quoted, to the closing quote of the same kind (a doubled one is inside), or to the end where the text was cut
    r"(?:(?P<prefix>[bur]{0,2})(?P<quote>\\*[\"'])(?P<quoted>(?:(?P=quote)(?P=quote)|.)*?)(?P<closing>(?<!\\)(?P=quote)(?!(?P=quote))|\Z)"
    # in brackets, such as SecretStr('...') or ["..."]
    r"|(?P<wrapped>[a-z_.]{0,40}[(\[{][^()\[\]{}]*(?:[)\]}]|\Z)?)"
    r"|(?P<scheme>(?:bearer|basic|apikey|token|negotiate|digest|aws4-hmac-sha256)\s{1,3})?(?P<plain>[^\s,;\"']+))",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(rf"(?P<open><[\w:.-]{{0,40}}{_NAME}(?:\s[^<>]{{0,200}})?>)(?P<content>[^<]+)", re.IGNORECASE)
_ARGUMENT = re.compile(
    rf"(?P<open>(?<![\w-])--?[\w-]{{0,40}}{_NAME}[ \t]{{1,3}})(?P<content>[^\s\"'-][^\s]*)", re.IGNORECASE
)
_HEADER = re.compile(
    r"(?P<open>\b(?:(?:set-)?cookie|(?:proxy-)?authorization\s{0,3}:\s{0,3}(?:digest|aws4-hmac-sha256))"
    r"\\*[\"']?\s{0,3}:?\s{0,3})(?P<content>[^\r\n]+)",
    re.IGNORECASE,
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
_KNOWN_BEGINNING = re.compile(r"eyJ|A[KS]IA|gh[pousr]_|github_pat_|glpat-|xox|AIza|ya29\.")
# Some part of every name in _NAME and of every word in _SCHEMES and _HEADER.
_NAMING = re.compile(
    r"pass|pw|secret|token|credential|sig|auth|cookie|jwt|kennwort|contrase|key|sas|code_verifier|sessionid|bearer|basic"
)
_BETWEEN = re.compile(r"[=:,>%&\uff1d\uff1a]")  # some part of every separator of a parameter
_SCHEMES = ("bearer", "basic", "apikey", "token")
_URL_TOKEN = re.compile(r"[^\s\"'<>]+")
_QUERY_VALUE = re.compile(r"(?<==)[^&;#]+")
_RELATIVE_QUERY = re.compile(r"(?P<open>[?&][\w.\[\]$-]{1,60}=)(?P<content>[^&\s\"'<>#;]+)")
_PORT = re.compile(r"\d*(?:[/?#,\"']|\Z)")
# A password may hold quotes or angle brackets, which end a URL elsewhere; slashes may be escaped, or the whole encoded.
_ODD_USERINFO = re.compile(
    r"(?P<open>(?:\\?/){2}|%2F%2F)(?:(?!\d{1,5}(?:[/?#,\"'\s\\]|\Z))[^\s/?#@:\"'<>\\]{1,256}?(?::|%3A)"
    r"(?!\d{1,5}(?:[/?#,\"'\s\\]|\Z))[^\s@/]{1,256}?)(?P<at>@|%40)",
    re.IGNORECASE,
)
_ORACLE = re.compile(r"(?P<open>jdbc:oracle:[a-z]{1,10}:)[^\s/@]{1,128}/[^\s@]{1,256}(?=@)", re.IGNORECASE)


def text(value: str) -> str:
    """Mask what looks like a secret: private keys, URL userinfo and query values, tokens, `password=` and the like.

    >>> text("cannot reach mongodb://ana:s3cret@db:27017/x?authSource=admin")
    'cannot reach mongodb://[redacted]@db:27017/x?authSource=[redacted]'
    >>> text("login failed (password=hunter2, user=ana)")
    'login failed (password=[redacted], user=ana)'
    """
    # Each pattern is tried only where the text holds what the pattern cannot do without.
    if "-----BEGIN" in value:
        value = _PRIVATE_KEY.sub(MASK, value)
    if "://" in value:
        value = _URL_TOKEN.sub(_mask_url, value)
    if ("@" in value or "%40" in value) and ("//" in value or "\\/" in value or "%2F" in value or "%2f" in value):
        value = _ODD_USERINFO.sub(rf"\g<open>{MASK}\g<at>", value)
    if "jdbc:" in value:
        value = _ORACLE.sub(rf"\g<open>{MASK}", value)
    if "?" in value and "=" in value:
        value = _RELATIVE_QUERY.sub(rf"\g<open>{MASK}", value)
    if may_name_secret(value):
        value = _named_before(value) if len(value) <= _REPEATED_UP_TO else _named(value)
    return _KNOWN_FORM.sub(MASK, value) if _KNOWN_BEGINNING.search(value) else value


def may_name_secret(value: str) -> bool:
    """Tell whether a text may hold a name that secrets go by, or a scheme of authorization.

    Outside of ASCII anything may be: small letters there may stand for one of a name, and several characters for one.
    """
    return not value.isascii() or _NAMING.search(value.lower()) is not None


def _named(value: str) -> str:
    """Mask what stands behind a name that secrets go by, or behind a scheme of authorization."""
    lowered = value.lower()
    if "cookie" in lowered or "authorization" in lowered:
        value = _HEADER.sub(rf"\g<open>{MASK}", value)
    if _BETWEEN.search(value):
        value = _PARAMETER.sub(_mask_parameter, value)
    if "<" in value:
        value = _TAG.sub(rf"\g<open>{MASK}", value)
    if "-" in value:
        value = _ARGUMENT.sub(rf"\g<open>{MASK}", value)
    if any(word in lowered for word in _SCHEMES):
        value = _BEARER.sub(rf"\g<scheme>{MASK}", value)
        value = _SCHEME.sub(_mask_scheme, value)
    return value


_named_before = lru_cache(maxsize=1024)(_named)  # URLs differ in their tokens, which are masked by now
_REPEATED_UP_TO = 256  # characters


@lru_cache(maxsize=4096)
def repeated_text(value: str) -> str:
    """Return `text` of a value that many documents have in common: names, help texts."""
    return text(value)


def secret_parts(value: str) -> Iterator[str]:
    """Yield what `text` would mask inside a value: passwords of URLs, secret parameters, private keys, tokens."""
    for match in _PRIVATE_KEY.finditer(value) if "-----BEGIN" in value else ():
        yield match[0]
        yield from (line for line in match[0].split() if len(line) >= _LINE_OF_KEY)
    for match in _USER_AND_PASSWORD.finditer(value) if "@" in value else ():
        yield match["password"]
    for token in _URL_TOKEN.findall(value) if "://" in value else ():
        end = _userinfo_end(token.partition("://")[2])
        if end:
            yield token.partition("://")[2][: end - 1].partition(":")[2]
    for match in _PARAMETER.finditer(value) if may_name_secret(value) and _BETWEEN.search(value) else ():
        yield match["quoted"] or match["wrapped"] or match["plain"] or ""
    lowered = value.lower()
    for pattern in (_BEARER, _SCHEME) if any(word in lowered for word in _SCHEMES) else ():
        for match in pattern.finditer(value):
            if pattern is _BEARER or _is_token(match["token"]):
                yield match["token"]
    for match in _KNOWN_FORM.finditer(value):
        yield match[0]


_LINE_OF_KEY = 16
# All of `mongodb://a:one@h1,b:two@h2/`, and of `jdbc:oracle:thin:a/one@h`.
_USER_AND_PASSWORD = re.compile(
    r"(?:(?://|,)[^\s/@:,]{1,256}:|jdbc:oracle:[a-z]{1,10}:[^\s/@]{1,128}/)(?P<password>[^\s@/,]{1,256})@"
)


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
    head = f"{match['name']}{match['separator']}"
    if match["quote"] is not None:
        return f"{head}{match['prefix']}{match['quote']}{MASK}{match['closing']}"
    return f"{head}{match['scheme'] or ''}{MASK}"


def _is_token(candidate: str) -> bool:
    """Tell a token from the word after "basic" or "token" in prose."""
    return any(c.isdigit() or c == "=" for c in candidate) or not (candidate.islower() or candidate.istitle())


def _mask_scheme(match: re.Match[str]) -> str:
    return f"{match['scheme']}{MASK}" if _is_token(match["token"]) else match[0]
