"""Known secrets, masked in each spelling in which software repeats a value."""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from functools import cached_property
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING
from urllib.parse import quote

from etl.scrub.patterns import MASK, text

if TYPE_CHECKING:
    from collections.abc import Iterable

_KNOWN_FROM = 3  # what is shorter cannot be told from the text around it; it is withheld where it stands, that is all
_ANYWHERE_FROM = 6  # shorter secrets are masked only as whole words, else every text would be full of masks
_CUT_FROM = 8  # so much of a secret at the end of a text that was cut is masked
_CUT_LONGEST = 512
_NUMERIC = frozenset("0123456789+-.eE")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")


class Masker:
    """Masks known secrets in text, in each spelling they take. A text is read once, however many secrets there are.

    >>> Masker(["p@ss/word"]).text("https://x/?q=p%40ss%2Fword and P@SS/WORD, user p")
    'https://x/?q=[redacted] and [redacted], user p'
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = frozenset(secret for secret in secrets if len(secret.strip()) >= _KNOWN_FROM)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def __repr__(self) -> str:
        return f"Masker({len(self._secrets)} secrets)"

    def knows(self, value: str) -> bool:
        """Tell whether the whole value is a known secret."""
        return value in self._secrets

    def text(self, value: str) -> str:
        """Mask the known secrets, then what looks like one."""
        if self._secrets and len(value) >= _KNOWN_FROM:
            for spelling in self._candidates(value):
                value = re.sub(_pattern(spelling), MASK, value, flags=re.IGNORECASE)
            value = self._without_cut_secret(value)
        return text(value)

    @property
    def knows_numbers(self) -> bool:
        """Whether a known secret may be a number, which the same number in another notation repeats."""
        return any(_NUMERIC.issuperset(secret) for secret in self._secrets)

    @cached_property
    def anchors(self) -> dict[int, dict[str, list[str]]]:
        """By length the beginnings of all spellings, in small letters: what a text must hold for one to be in it."""
        anchors: dict[int, dict[str, list[str]]] = {}
        for spelling in {spelling for secret in self._secrets for spelling in _spellings(secret)}:
            lowered = spelling.lower()
            if lowered and lowered not in MASK:  # what stands in the mask itself would be masked for ever
                beginning = lowered[:_ANYWHERE_FROM]
                anchors.setdefault(len(beginning), {}).setdefault(beginning, []).append(spelling)
        return anchors

    @cached_property
    def _beginnings(self) -> dict[str, list[str]]:
        """Secrets by their beginning."""
        beginnings: dict[str, list[str]] = {}
        for secret in self._secrets:
            if _CUT_FROM < len(secret) <= _CUT_LONGEST and secret.lower() not in MASK:
                beginnings.setdefault(secret[:_CUT_FROM], []).append(secret)
        return beginnings

    def _candidates(self, value: str) -> list[str]:
        """Return the spellings that may be in a text, the longest first, so that one within another leaves no rest."""
        lowered = value.lower()
        found: set[str] = set()
        for length, beginnings in self.anchors.items():
            # Either every piece of the text is looked up, or every beginning is looked for, whichever is less work.
            if len(lowered) <= len(beginnings):
                pieces = {lowered[at : at + length] for at in range(len(lowered) - length + 1)}
                for beginning in pieces & beginnings.keys():
                    found.update(beginnings[beginning])
            else:
                for beginning, spellings in beginnings.items():
                    if beginning in lowered:
                        found.update(spellings)
        return sorted(found, key=lambda spelling: (-len(spelling), spelling))

    def _without_cut_secret(self, value: str) -> str:
        """Mask the beginning of a secret at the end of a text, where whoever wrote it cut it off."""
        body = value.rstrip(".… \"')]}")
        end = body[-_CUT_LONGEST:]
        if not any(beginning in end for beginning in self._beginnings):
            return value
        for at in range(max(0, len(body) - _CUT_LONGEST), len(body) - _CUT_FROM + 1):
            for secret in self._beginnings.get(body[at : at + _CUT_FROM], ()):
                if secret.startswith(body[at:]):
                    return f"{body[:at]}{MASK}{value[len(body) :]}"
        return value


_PERCENT = [quote(bytes([byte]), safe="") for byte in range(256)]


def _pattern(spelling: str) -> str:
    escaped = re.escape(spelling)
    return escaped if len(spelling) >= _ANYWHERE_FROM else rf"(?<!\w){escaped}(?!\w)"


def _spellings(secret: str) -> set[str]:
    """Return a secret as it is and as software writes it: stripped, quoted, escaped, encoded, normalized."""
    forms: set[str] = set()
    for plain in {secret, secret.strip()}:
        encoded = plain.encode("utf-8", "surrogatepass")
        forms |= {plain, base64.b64encode(encoded).decode(), base64.urlsafe_b64encode(encoded).decode().rstrip("=")}
        forms.add(encoded.hex())
        if _PLAIN.fullmatch(plain):
            continue  # nothing in it is ever quoted or escaped
        percent = "".join([_PERCENT[byte] for byte in encoded])
        forms |= {percent, percent.replace("%2F", "/"), percent.replace("%20", "+")}
        if not plain.isprintable() or not plain.isascii() or not _UNQUOTED.fullmatch(plain):
            forms |= _quoted(plain, encoded)
    return forms


_UNQUOTED = re.compile(r"[^\"'\\/&<>]+")


def _quoted(plain: str, encoded: bytes) -> set[str]:
    """Return how a text with quotes, slashes, angle brackets or other scripts is written."""
    forms = {unicodedata.normalize("NFC", plain), unicodedata.normalize("NFD", plain)}
    for write in (encode_basestring_ascii, encode_basestring):
        escaped = write(plain)[1:-1]
        forms |= {escaped, escaped.replace("/", "\\/"), write(escaped)[1:-1]}
    forms |= {repr(plain)[1:-1], repr(encoded)[2:-1], plain.replace("'", "''"), plain.replace("'", "\\'")}
    forms |= {html.escape(plain), html.escape(plain, quote=False)}
    forms |= {encoded.decode("latin-1"), plain.encode("ascii", "replace").decode()}
    return forms
