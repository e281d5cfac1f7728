"""The second pass of the redactor: masks secrets in all text that is no plain column.

It masks what the first pass withheld from the same document, and what looks like a secret by its form.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from etl.jsontext import JsonValue, Members, NotJsonError, decode, dump, number_text
from etl.schema.declare import Kind
from etl.schema.tables import TABLES
from etl.scrub import MASK, Masker, is_secret_name, repeated_text
from etl.transform.convert import CONVERTERS
from etl.transform.marker import is_marker, marker_for
from etl.transform.shapes import CONNECTOR_ALIASES
from etl.transform.unfit import UnfitError
from etl.transform.withhold import CONFIGURATION_KEY, FORM_MEMBERS, PLAIN_MEMBERS, rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Shape: TypeAlias = "Mapping[str, Any] | Kind | None"


def _shape_tree() -> dict[str, Any]:
    """Derive from the tables which paths of a document are known: a tree of kinds, with None for free text."""
    tree: dict[str, Any] = {}
    for table in TABLES:
        if table.node is None or "*" in table.node:
            continue  # configuration has its own rules
        for column in table.columns:
            if column.source:
                node = tree
                *above, last = (*table.node, *column.source)
                for key in above:
                    node = node.setdefault(key, {})
                node[last] = None if column.free_text else column.kind
    tree["id"] = Kind.STRING
    tree["connector"]["configuration"] = None
    for alias, field in CONNECTOR_ALIASES.items():
        tree.setdefault(alias, tree["connector"][field])
    return tree


DOCUMENT_SHAPE: Final = _shape_tree()
"""The shape of a sync job, for `Masking.walk`."""


def _fits(kind: Kind, value: str) -> bool:
    """Tell whether a text becomes a cell of that kind: a time, a number or a boolean is no secret."""
    try:
        CONVERTERS[kind](value)
    except UnfitError:
        return False
    return True


def json_in(value: str) -> JsonValue:
    """Return the object or array that a text is the JSON of; None where it is none."""
    if value.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return decode(value.encode("utf-8", "surrogatepass"))
    except NotJsonError:
        return None


def _form_text(value: JsonValue) -> JsonValue:
    """Mask what looks like a secret in what describes a form: it is the same for all jobs, nobody filled it in."""
    if isinstance(value, str):
        return repeated_text(value)
    if isinstance(value, list):
        return [_form_text(item) for item in value]
    if isinstance(value, dict) and not is_marker(value):
        return rebuilt(value, lambda _, inner: _form_text(inner))
    return value


class Masking:
    """Masks in one document, or in a part of one.

    Attributes:
        count: texts in which something was masked.
        asked: whether a text was held against the known secrets, so that the result depends on them.
    """

    def __init__(self, masker: Callable[[], Masker]) -> None:
        self.count = 0
        self.asked = False
        self._make = masker

    @cached_property
    def _masker(self) -> Masker:
        self.asked = True
        return self._make()

    def walk(self, value: JsonValue, shape: _Shape) -> JsonValue:
        """Mask below a value.

        Args:
            value: any JSON value.
            shape: what stands there: a kind for a plain column, a mapping for an object with known members, None for
                free text.
        """
        if isinstance(value, str):
            return self._string(value, shape)
        if isinstance(value, dict):
            return value if is_marker(value) else self._members(value, shape if isinstance(shape, dict) else {})
        if isinstance(value, list):
            below = shape.get("[]") if isinstance(shape, dict) else None
            if shape is Kind.STRING and all(isinstance(item, str) for item in value):
                return value  # a column that takes an array of names as well
            return [self.walk(item, Kind.STRINGS if shape is Kind.STRINGS else below) for item in value]
        if shape is None and isinstance(value, int | float | msgspec.Raw) and self._masker.knows(number_text(value)):
            self.count += 1
            return MASK
        return value

    def _string(self, value: str, shape: _Shape) -> str:
        if isinstance(shape, Kind) and (shape in {Kind.STRING, Kind.STRINGS} or _fits(shape, value)):
            return value
        inner = json_in(value)
        before = self.count
        clean = None if inner is None else self.walk(inner, None)
        masked = self._masker.text(dump(clean) if self.count > before else value)
        self.count = before + (masked != value)
        return masked

    def _members(self, members: dict[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
        elements = shape.get("[]")  # one filtering or rule that stands where an array of them is expected
        known = elements if isinstance(elements, dict) else shape

        def replace(key: str, value: JsonValue) -> JsonValue:
            if CONFIGURATION_KEY.search(key):
                return self._configuration(value)
            if key not in known and is_secret_name(key):
                return self._conceal(value)
            return self.walk(value, known.get(key))

        return rebuilt(self._with_masked_keys(members, known), replace)

    def _configuration(self, value: JsonValue) -> JsonValue:
        """Mask the texts of a configuration that are left: help texts and exposed values; names stay."""
        if not isinstance(value, dict) or is_marker(value):
            return self.walk(value, None) if isinstance(value, str | list) else value

        def member(key: str, inner: JsonValue) -> JsonValue:
            if key in PLAIN_MEMBERS and not isinstance(inner, dict | list):
                return inner
            if key in FORM_MEMBERS:
                return _form_text(inner)
            # A number that is shown stays, also where it equals a secret: a mask would be withheld the next time.
            return self.walk(inner, None) if isinstance(inner, str | dict | list) else inner

        def entry(_: str, inner: JsonValue) -> JsonValue:
            if isinstance(inner, dict) and not is_marker(inner):
                return rebuilt(inner, member)
            return self.walk(inner, None) if isinstance(inner, str | list) else inner

        return rebuilt(value, entry)

    def _with_masked_keys(self, members: dict[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
        """A key may be a URL with a token; two keys that become one are told apart by a number."""
        if members.keys() <= known.keys():
            return members
        masked = {key: key if key in known else self._masker.text(key) for key in members}
        if all(key == new for key, new in masked.items()):
            return members
        again: dict[str, Any] = {}
        for key, value in members.items():
            name, number = masked[key], 2
            while name in again:
                name, number = f"{masked[key]}#{number}", number + 1
            again[name] = value
        self.count += 1
        if isinstance(members, Members):
            earlier = [(masked[key], value) for key, value in members.earlier]
            repeated = Members(again)
            repeated.earlier = earlier
            return repeated
        return again

    def _conceal_member(self, key: str, value: JsonValue) -> JsonValue:
        # In a configuration a mask would be taken for a value and withheld the next time: a marker stays.
        if value is not None and CONFIGURATION_KEY.search(key):
            self.count += not is_marker(value)
            return marker_for(value)
        return self._conceal(value)

    def _conceal(self, value: JsonValue) -> JsonValue:
        """Mask every text and number under a key that is named like a secret."""
        if isinstance(value, dict):
            return value if is_marker(value) else rebuilt(value, self._conceal_member)
        if isinstance(value, list):
            return [self._conceal(item) for item in value]
        if value is None or isinstance(value, bool) or value in ("", MASK):
            return value
        self.count += 1
        return MASK
