"""What a part of a document becomes, remembered by its bytes: rows, field issues, counts, the redacted bytes.

A part that nobody has seen yet takes the tolerant path by itself, as a document that holds nothing else; so fast and
tolerant path cannot differ in what a part becomes. Secrets stand in the configuration alone: a part that holds any
itself does not fit, and one whose texts were held against known secrets is remembered with these only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from etl.jsontext import NotJsonError, encode_exactly
from etl.schema.tables import FIELD_ISSUES
from etl.transform.filterings import FILTERING_PATH, VALUE_PATH, read_filtering
from etl.transform.known import Maskers
from etl.transform.memory import Memory
from etl.transform.part import UNFIT, Part, decoded, rows_of
from etl.transform.redact import redact_part

if TYPE_CHECKING:
    from etl.transform.configurations import Configuration

_LIMIT = 4 * 2**20
_SIZE = 4  # times its bytes that a part takes with what it became, about
_DEPENDS: Final = Part(rows={}, issues=(), masked=0, clean=b"")  # on the secrets of the configuration


class Parts:
    """Remembers parts other than the configuration.

    Args:
        exposed: configuration fields whose values may be shown.
    """

    def __init__(self, exposed: frozenset[str]) -> None:
        self._exposed = exposed
        self._parts: Memory[Part] = Memory(_LIMIT)
        self._maskers = Maskers()

    def of(self, path: tuple[str, ...], raw: bytes, configuration: Configuration) -> Part:
        """Return what a part becomes; UNFIT where its document has to take the tolerant path.

        Args:
            path: of the part in the document.
            raw: its bytes.
            configuration: of the same document.
        """
        key = (path, raw)
        part = self._parts.get(key)
        if part is not None and part is not _DEPENDS:
            return part
        if part is _DEPENDS:
            part = self._parts.get((path, raw, configuration.secrets))
            if part is not None:
                return part
        part = self._read(path, raw, configuration)
        if part.depends:
            self._parts.put(key, _DEPENDS, len(raw))
            self._parts.put((path, raw, configuration.secrets), part, _SIZE * len(raw))
        else:
            self._parts.put(key, part, _SIZE * len(raw))
        return part

    def _read(self, path: tuple[str, ...], raw: bytes, configuration: Configuration) -> Part:
        if path == FILTERING_PATH:
            part = read_filtering(raw, lambda value: self.of(VALUE_PATH, value, configuration))
            if part is not None:
                return part
        document: Any
        try:
            document = decoded(raw)
        except NotJsonError:
            return UNFIT
        for name in reversed(path):
            document = {name: document}
        clean = redact_part(document, self._exposed, masker=lambda: self._maskers.of(configuration.secrets).masker(raw))
        if clean.withheld.count or clean.withheld.refused:
            return UNFIT
        value = clean.document
        for name in path:
            value = value[name]
        rows = rows_of(clean)
        issues = rows.pop(FIELD_ISSUES.name)
        return Part(
            rows=rows,
            issues=issues,
            masked=clean.masked,
            clean=encode_exactly(value) if clean.masked else raw,
            depends=clean.asked,
        )
