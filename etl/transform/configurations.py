"""Configurations, remembered by their bytes: most of a document, and the same from job to job of a connector.

One that is new is put together from its fields, which are remembered too; and of a field whose text is withheld
whatever it is, only the form around that text counts. So a changed password costs its own redaction and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from etl.jsontext import NotJsonError, decode, encode_exactly
from etl.schema.tables import CONNECTOR_CONFIGURATION, FIELD_ISSUES
from etl.transform.marker import KEY
from etl.transform.memory import Memory
from etl.transform.part import decoded, rows_of
from etl.transform.redact import redact_part
from etl.transform.withhold import Withheld, is_secret_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl.jsontext import JsonValue
    from etl.transform.rows import Row

_LIMIT = 6 * 2**20
_SIZE = 1  # times its bytes that what it became takes, about
_DIGEST = 16  # bytes: among a billion configurations two meet with a chance of one to 10^20
_FIELDS_LIMIT = 4 * 2**20
_FIELD_SIZE = 4  # the same for a field


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """What one field, or some fields, became.

    Attributes:
        rows: of connector_configuration.
        issues: of field_issues.
        redacted: values withheld.
        masked: texts in which something was masked.
        refused: fields that were to be exposed but are secrets.
        clean: the object that holds them as it may be kept, as JSON.
        secrets: texts to mask elsewhere in the document.
        sure: whether the value is surely a secret; for a form, whose value is not among `secrets`.
    """

    rows: tuple[Row, ...]
    issues: tuple[Row, ...]
    redacted: int
    masked: int
    refused: frozenset[str]
    clean: bytes
    secrets: frozenset[str]
    sure: bool = False


_UNFIT: Final = _Read(rows=(), issues=(), redacted=0, masked=0, refused=frozenset(), clean=b"", secrets=frozenset())


class Configuration:
    """What a configuration became; equal to itself alone.

    Attributes:
        rows: of connector_configuration.
        issues: of field_issues.
        redacted: values withheld.
        masked: texts in which something was masked.
        refused: fields that were to be exposed but are secrets.
    """

    def __init__(
        self, reads: Sequence[_Read] = (), values: Sequence[tuple[bytes, bool]] = (), clean: bytes | None = None
    ) -> None:
        self.rows = tuple(row for read in reads for row in read.rows)
        self.issues = tuple(row for read in reads for row in read.issues)
        self.redacted = sum(read.redacted for read in reads)
        self.masked = sum(read.masked for read in reads)
        self.refused = frozenset[str]().union(*(read.refused for read in reads))
        self._reads = reads
        self._values = values
        self._clean = clean

    @property
    def clean(self) -> bytes:
        """The configuration as it may be kept, as JSON."""
        if self._clean is not None:
            return self._clean
        return b"{" + b",".join(read.clean[1:-1] for read in self._reads) + b"}"

    @cached_property
    def secrets(self) -> frozenset[str]:
        """Texts to mask elsewhere in the document; found when a text first asks for them, for many never do."""
        withheld = Withheld()
        for value, sure in self._values:
            withheld.remember(decode(value), sure=sure)
        return frozenset(withheld.secrets.union(*(read.secrets for read in self._reads)))


NO_CONFIGURATION: Final = Configuration(clean=b"null")
UNFIT_CONFIGURATION: Final = Configuration()
"""Stands for a configuration with which the document takes the tolerant path."""


class _Valued(msgspec.Struct, gc=False):
    value: Raw


_ENTRIES = msgspec.json.Decoder(dict[str, Raw]).decode
_VALUED = msgspec.json.Decoder(_Valued).decode
_WRITE = msgspec.json.Encoder().encode
_VALUE = b'"value":'
_BROKEN = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Configurations:
    """Remembers configurations and their fields.

    Args:
        exposed: configuration fields whose values may be shown.
    """

    def __init__(self, exposed: frozenset[str]) -> None:
        self._exposed = exposed
        self._known: Memory[Configuration] = Memory(_LIMIT)
        self._fields: Memory[_Read] = Memory(_FIELDS_LIMIT)

    def of(self, raw: bytes) -> Configuration:
        """Return what a configuration becomes; UNFIT_CONFIGURATION where its document has to take the tolerant path."""
        key = blake2b(raw, digest_size=_DIGEST).digest()
        found = self._known.get(key)
        if found is None:
            found = self._by_fields(raw) or self._whole(raw)
            self._known.put(key, found, _SIZE * len(raw))
        return found

    def _by_fields(self, raw: bytes) -> Configuration | None:
        """Put a configuration together from its fields; None where they depend on each other, or are no fields."""
        try:
            entries = _ENTRIES(raw)
        except _BROKEN:
            return None
        if len(_WRITE(entries)) != len(raw) or KEY in entries:  # see etl.transform.form.fitted
            return None
        reads: list[_Read] = []
        values: list[tuple[bytes, bool]] = []
        for name, entry in entries.items():
            content = bytes(entry)
            read = None if name in self._exposed else self._form(name, content, values)
            if read is None:
                key = (name, content)
                read = self._fields.get(key)
                if read is None:
                    read = self._read(name, content)
                    self._fields.put(key, read, _FIELD_SIZE * len(content))
            if read is _UNFIT:
                return None
            reads.append(read)
        return Configuration(reads, values)

    def _form(self, name: str, entry: bytes, values: list[tuple[bytes, bool]]) -> _Read | None:
        """Read a field whose value is a text, by what stands around it.

        Args:
            name: of a field that is not exposed, so that every text is withheld.
            entry: the field.
            values: takes the text, as JSON, and whether it is surely a secret.

        Returns:
            What the field became; None where it has no text, or no one place for it.
        """
        try:
            value = bytes(_VALUED(entry).value)
        except _BROKEN:
            return None
        around = entry.split(_VALUE + value)
        if value[:1] != b'"' or len(around) != _ONE_PLACE:
            return None
        key = (name, *around)
        read = self._fields.get(key)
        if read is None:
            read = self._read_form(name, *around)
            self._fields.put(key, read, _FIELD_SIZE * len(entry))
        if read is _UNFIT:
            return None
        values.append((value, read.sure))
        return read

    def _read_form(self, name: str, before: bytes, after: bytes) -> _Read:
        """Read a field with an empty text as its value, which is withheld like any other and hides nothing."""
        try:
            entry = decoded(before + _VALUE + b'""' + after)
        except NotJsonError:
            return _UNFIT
        if not isinstance(entry, dict) or entry.get("value") != "":
            return _UNFIT  # the text stood further below, beside the same text in other spelling
        return self._became({name: entry}, sure=is_secret_field(name, entry))

    def _read(self, name: str, entry: bytes) -> _Read:
        try:
            return self._became({name: decoded(entry)})
        except NotJsonError:
            return _UNFIT

    def _whole(self, raw: bytes) -> Configuration:
        try:
            read = self._became(decoded(raw), alone=True)
        except NotJsonError:
            return UNFIT_CONFIGURATION
        return Configuration([read], clean=read.clean)

    def _became(self, configuration: JsonValue, *, sure: bool = False, alone: bool = False) -> _Read:
        """Take the tolerant path with a document that holds nothing but fields of a configuration.

        Args:
            configuration: the fields.
            sure: as in `_Read`.
            alone: whether these are all fields. Where texts of some depend on secrets that may stand in others, they
                are _UNFIT.
        """
        clean = redact_part({"connector": {"configuration": configuration}}, self._exposed)
        if clean.asked and not alone:
            return _UNFIT
        rows = rows_of(clean)
        return _Read(
            rows=rows[CONNECTOR_CONFIGURATION.name],
            issues=rows[FIELD_ISSUES.name],
            redacted=clean.withheld.count,
            masked=clean.masked,
            refused=frozenset(clean.withheld.refused),
            clean=encode_exactly(clean.document["connector"]["configuration"]),
            secrets=frozenset(clean.withheld.secrets),
            sure=sure,
        )


_ONE_PLACE = 2  # pieces that a text leaves which stands once
