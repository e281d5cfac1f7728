"""Configuration, the place of secrets: default-deny. What is withheld is remembered, to be masked elsewhere.

The flag `sensitive` alone cannot be trusted: fields with storage keys exist that lack it, and connection strings carry
passwords in fields such as `host`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from etl.jsontext import JsonValue, Members, NotJsonError, decode, number_text
from etl.scrub import is_secret_name, looks_secret, secret_parts
from etl.transform.marker import is_marker, marker_for

if TYPE_CHECKING:
    from collections.abc import Callable

# Known keys of a configuration field whose scalars are shown: they describe the form, not the connection.
_SHOWN = frozenset({"label", "type", "display", "category", "tooltip", "placeholder"})
PLAIN_MEMBERS = frozenset({"label", "type", "display", "category", "required", "sensitive", "order"})
"""Members of a configuration field that are plain columns: never masked, for they are names."""
FORM_MEMBERS = frozenset({"tooltip", "placeholder", "options", "depends_on", "validations", "ui_restrictions"})
"""Members that describe the form: what of them is left to see is the same for all jobs."""
_SHOWN_NUMBERS = frozenset({"required", "sensitive", "order"})
CONFIGURATION_KEY = re.compile(r"config(?:uration)?s?(?![a-z])", re.IGNORECASE)
"""Keys of configurations: `configuration`, `connector.configuration`, `connectorConfig`, `configuration_backup`, ..."""
# Lists of objects whose values are withheld, with the keys inside that are shown.
_STRUCTURED = {
    "options": frozenset({"label"}),
    "depends_on": frozenset({"field"}),
    "validations": frozenset({"type"}),
}
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*")  # nothing inside is a secret that the whole is not
_LONG_LINE = 16  # a line of a certificate or key that is worth masking alone


@dataclass(kw_only=True, slots=True)
class Withheld:
    """What was withheld from one document.

    Attributes:
        count: values replaced by a marker.
        secrets: texts to mask wherever else they occur in the document.
        refused: fields that were to be exposed, but are flagged or named like a secret.
    """

    count: int = 0
    secrets: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def remember(self, value: str, *, sure: bool) -> None:
        """Keep a withheld text for masking, with the secrets inside it.

        Args:
            value: the text.
            sure: True where its field is flagged or named like a secret; else it must look like one.
        """
        if sure and value.strip():
            self.secrets.add(value)
            self.secrets.update(part for part in value.split(",") if looks_secret(part))
        elif looks_secret(value):
            self.secrets.add(value)
        if not _PLAIN.fullmatch(value):
            for part in secret_parts(value):
                if part.strip():
                    self.secrets.update((part, unquote(part)))
        if "\n" in value:
            lines = (line.strip() for line in value.splitlines())
            self.secrets.update(line for line in lines if len(line) >= _LONG_LINE and looks_secret(line))
        if value.lstrip()[:1] in {"{", "["}:
            self._remember_json(value, sure=sure)

    def _remember_json(self, value: str, *, sure: bool) -> None:
        """A whole key file may stand as JSON text in one value; an error then repeats a part of it."""
        try:
            inner = decode(value.encode("utf-8", "surrogateescape" if value.isprintable() else "surrogatepass"))
        except (NotJsonError, UnicodeError):
            return
        for name, leaf in leaves(inner, ""):
            if isinstance(leaf, str) and leaf != value:
                self.remember(leaf, sure=(sure and looks_secret(leaf)) or is_secret_name(name))

    def replace(self, value: JsonValue, *, name: str, sure: bool) -> JsonValue:
        """Replace a value by its marker and remember the texts and numbers in it."""
        if value is None or is_marker(value):
            return value
        self.count += 1
        for key in _keys(value):
            self.remember(key, sure=False)
        for inner, leaf in leaves(value, name):
            named = sure or is_secret_name(inner, field=True)
            if isinstance(leaf, str):
                self.remember(leaf, sure=named)
            elif named and isinstance(leaf, int | float | msgspec.Raw) and not isinstance(leaf, bool):
                self.secrets.update(_number_texts(leaf))
        return marker_for(value)


def _number_texts(value: float | msgspec.Raw) -> set[str]:
    """Return a number as JSON writes it, whole or as a float."""
    written = number_text(value)
    return {written, written.removesuffix(".0"), f"{written}.0"} if written.removesuffix(".0").isdigit() else {written}


def _keys(value: JsonValue) -> list[str]:
    """Return the keys inside a value."""
    if isinstance(value, dict):
        pairs = [*value.items(), *(value.earlier if isinstance(value, Members) else ())]
        return [found for key, inner in pairs for found in (key, *_keys(inner))]
    return [key for inner in value for key in _keys(inner)] if isinstance(value, list) else []


def leaves(value: JsonValue, name: str) -> list[tuple[str, JsonValue]]:
    """Return each scalar below a value, with the name of the nearest key above it."""
    if isinstance(value, dict):
        pairs = [*value.items(), *(value.earlier if isinstance(value, Members) else ())]
        return [leaf for key, inner in pairs for leaf in leaves(inner, key)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner, name)]
    return [(name, value)]


def rebuilt(members: dict[str, Any], replace: Callable[[str, JsonValue], JsonValue]) -> dict[str, Any]:
    """Return the object with each value replaced, those under a repeated key too."""
    new = {key: replace(key, value) for key, value in members.items()}
    if not isinstance(members, Members):
        return new
    again = Members(new)
    again.earlier = [(key, replace(key, value)) for key, value in members.earlier]
    return again


def configuration(value: JsonValue, exposed: frozenset[str], withheld: Withheld) -> JsonValue:
    """Withhold what a configuration must not show.

    Args:
        value: the configuration; an object of fields mostly, any other shape is withheld value by value.
        exposed: names of fields that may be shown.
        withheld: takes note of what was withheld.

    Returns:
        The configuration with markers in place of values. `value` itself is left as it is.
    """
    if not isinstance(value, dict) or is_marker(value):
        return _each(value, withheld, name="", sure=False)
    return rebuilt(value, lambda name, entry: _field(name, entry, exposed, withheld))


def _field(name: str, entry: JsonValue, exposed: frozenset[str], withheld: Withheld) -> JsonValue:
    sure = is_secret_field(name, entry)
    shown = name in exposed and not sure
    if name in exposed and sure:
        withheld.refused.add(name)
    if not isinstance(entry, dict) or is_marker(entry):
        return entry if shown else _value(entry, withheld, name=name, sure=sure)
    return rebuilt(entry, lambda key, value: _member(key, value, withheld, name=name, sure=sure, shown=shown))


def is_secret_field(name: str, entry: JsonValue) -> bool:
    """Tell whether a configuration field surely holds a secret: it is flagged, or named like one."""
    return is_secret_name(name, field=True) or (isinstance(entry, dict) and _is_flagged(entry))


def _is_flagged(entry: dict[str, Any]) -> bool:
    flags = [entry.get("sensitive")]
    if isinstance(entry, Members):
        flags += [value for key, value in entry.earlier if key == "sensitive"]
    return any(flag not in (None, False, 0, "false", "False", "") for flag in flags)


def _member(key: str, value: JsonValue, withheld: Withheld, *, name: str, sure: bool, shown: bool) -> JsonValue:
    """Decide on one member of a configuration field."""
    if key in _SHOWN and not isinstance(value, dict | list):
        return value
    if key in _SHOWN_NUMBERS and (not isinstance(value, str) or value in {"true", "false"} or value.isdecimal()):
        return value if not isinstance(value, dict | list) else _each(value, withheld, name=name, sure=sure)
    if key == "ui_restrictions" and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    if shown:
        return value
    if key in {"value", "default_value"}:
        return _value(value, withheld, name=name, sure=sure)
    if key in _STRUCTURED:
        return _each(value, withheld, name=name, sure=sure, visible=_STRUCTURED[key])
    if isinstance(value, dict | list):
        return withheld.replace(value, name=name, sure=sure)
    return _value(value, withheld, name=name, sure=sure or is_secret_name(key, field=True))


def _value(value: JsonValue, withheld: Withheld, *, name: str, sure: bool) -> JsonValue:
    """Withhold a value whole if it is a text or a structure, or if its field is surely a secret."""
    if not (sure or isinstance(value, str | dict | list)):
        return value
    return withheld.replace(value, name=name, sure=sure)


def _each(
    value: JsonValue, withheld: Withheld, *, name: str, sure: bool, visible: frozenset[str] = frozenset()
) -> JsonValue:
    """Withhold the values inside a structure, which itself stays."""
    if isinstance(value, list):
        return [_each(item, withheld, name=name, sure=sure, visible=visible) for item in value]
    if not isinstance(value, dict) or is_marker(value):
        return _value(value, withheld, name=name, sure=sure)

    def replace(key: str, inner: JsonValue) -> JsonValue:
        if key in visible and isinstance(inner, str):
            return inner
        named = sure or is_secret_name(key, field=True)
        return _each(inner, withheld, name=key or name, sure=named, visible=visible)

    return rebuilt(value, replace)
