"""A connector's configuration as it was when a job was created, in the forms that the writers give it."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, TypeAlias

from etl import jsontext
from etl.sandbox.connectors import CONNECTORS
from etl.sandbox.dice import Dice
from etl.sandbox.outline import ANCHOR, Part, Writer
from etl.sandbox.services import SERVICES
from etl.sandbox.stamps import DAY, nanoseconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from etl.jsontext import JsonValue
    from etl.sandbox.connectors import Connector
    from etl.sandbox.outline import Outline
    from etl.sandbox.services import Setting

Entry: TypeAlias = "dict[str, JsonValue]"

_POSITIONS = {connector.id: position for position, connector in enumerate(CONNECTORS)}
_ROTATION = 180 * DAY
_KEPT_FORMS = 1_024  # 40 connectors, 5 rotations and 3 forms: some 600 texts of 4 kB


class Form(Enum):
    """How the entries of a configuration are written."""

    JAVA = "java"
    PYTHON = "python"
    LEGACY = "legacy"


def configuration_of(seed: int, outline: Outline, dice: Dice) -> dict[str, JsonValue]:
    """Return the configuration of the job's connector, frozen at the job's creation: secrets rotate twice a year."""
    form = _form(outline.writer, dice)
    connector = outline.connector
    rotation = max(0, (nanoseconds(ANCHOR) - outline.created) // _ROTATION)
    fresh: dict[str, JsonValue] = jsontext.decode(_encoded(seed, connector.id, connector.service_type, rotation, form))
    return fresh


def current_configuration(seed: int, connector: Connector) -> dict[str, JsonValue]:
    """Return the configuration that a connector has at the anchor, as Elasticsearch writes it."""
    fresh: dict[str, JsonValue] = jsontext.decode(_encoded(seed, connector.id, connector.service_type, 0, Form.JAVA))
    return fresh


def _form(writer: Writer, dice: Dice) -> Form:
    if writer is Writer.JAVA:
        return Form.JAVA
    if writer in {Writer.PYTHON_8_9, Writer.KIBANA}:
        return Form.LEGACY if dice.chance(0.1) else Form.PYTHON
    return Form.LEGACY if dice.chance(0.7) else Form.PYTHON


@lru_cache(maxsize=_KEPT_FORMS)
def _encoded(seed: int, connector_id: str, service_type: str, rotation: int, form: Form) -> bytes:
    """Keep the text rather than the value: each document must own its configuration."""
    write = _ENTRIES[form]
    dice = Dice(seed, _position(connector_id) * 64 + rotation, Part.CONFIGURATION)
    settings = SERVICES[service_type]
    entries = {setting.name: write(setting, order, _value(setting, dice)) for order, setting in enumerate(settings, 1)}
    return jsontext.dump(entries).encode()


def _position(connector_id: str) -> int:
    """Return a connector's place in the streams of choices: the demo's come first, any other's follows from its id."""
    if connector_id in _POSITIONS:
        return _POSITIONS[connector_id]
    return len(_POSITIONS) + int.from_bytes(blake2b(connector_id.encode(), digest_size=6).digest(), "big")


def _value(setting: Setting, dice: Dice) -> JsonValue:
    return setting.value(dice) if callable(setting.value) else setting.value


def _java(setting: Setting, order: int, value: JsonValue) -> Entry:
    """Elasticsearch leaves out what is null, but for the two values."""
    entry = {
        "category": setting.category,
        "default_value": setting.default,
        **_middle(setting, order),
        "placeholder": setting.placeholder,
        **_flags(setting),
        "value": value,
    }
    return {key: item for key, item in sorted(entry.items()) if item is not None or key in {"default_value", "value"}}


def _python(setting: Setting, order: int, value: JsonValue) -> Entry:
    """The Python service writes every key but two, in the order of its sources; its default display is no known one."""
    middle = _middle(setting, order)
    if setting.display == "textbox":
        middle["display"] = "text"
    return {"value": value, "default_value": setting.default, **middle, **_flags(setting)}


def _legacy(setting: Setting, _order: int, value: JsonValue) -> Entry:
    """Before 8.9 an entry was a label and a value: no flag tells a secret."""
    return {"label": setting.label, "value": value}


_ENTRIES: dict[Form, Callable[[Setting, int, JsonValue], Entry]] = {
    Form.JAVA: _java,
    Form.PYTHON: _python,
    Form.LEGACY: _legacy,
}


def _middle(setting: Setting, order: int) -> Entry:
    return {
        "depends_on": [{"field": field, "value": value} for field, value in setting.depends_on],
        "display": setting.display,
        "label": setting.label,
        "options": [{"label": label, "value": value} for label, value in setting.options],
        "order": order,
    }


def _flags(setting: Setting) -> Entry:
    return {
        "required": setting.required,
        "sensitive": setting.sensitive,
        "tooltip": setting.tooltip,
        "type": setting.type,
        "ui_restrictions": list(setting.ui_restrictions),
        "validations": [{"constraint": constraint, "type": kind} for kind, constraint in setting.validations],
    }
