"""`GET /_connector`: the connectors that exist; jobs of others are orphans."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from etl import jsontext
from etl.sandbox import stamps
from etl.sandbox.configuration import current_configuration
from etl.sandbox.dice import Dice
from etl.sandbox.listing import envelope, page_of
from etl.sandbox.outline import ANCHOR, Part
from etl.sandbox.reading import flag, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.catalogue import View
    from etl.sandbox.connectors import Connector
    from etl.sandbox.population import Population
    from etl.sandbox.replies import Reply

INCLUDE_DELETED = "include_deleted"
"""A parameter since 8.18, when a deleted connector began to stay in its index, marked."""
PARAMETERS = frozenset({"from", "size", "index_name", "connector_name", "service_type", "query", INCLUDE_DELETED})

_FILTERS = (("index_name", "index_name"), ("connector_name", "name"), ("service_type", "service_type"))
_SEARCHED = ("id", "name", "description", "index_name")
_STATUSES = (
    ("connected", 0.7),
    ("error", 0.12),
    ("configured", 0.08),
    ("needs_configuration", 0.06),
    ("created", 0.04),
)

Document: TypeAlias = "dict[str, JsonValue]"


def connectors_reply(documents: list[Document], parameters: Mapping[str, str], window: int) -> Reply:
    """Answer with a page of connectors, by their index, with a count that stops at the window.

    Args:
        documents: all connectors, each with its `id`.
        parameters: of the query.
        window: how far a page may reach.

    Raises:
        RefusedError: a parameter cannot be.
    """
    start, size = page_of(parameters, window)
    wanted = {field: listed(parameters, name) for name, field in _FILTERS}
    text = parameters.get("query", "")
    found = [
        one
        for one in documents
        if (flag(parameters, INCLUDE_DELETED) or not one.get("deleted"))
        and all(not values or one.get(field) in values for field, values in wanted.items())
        and any(text in str(one.get(field) or "") for field in _SEARCHED)
    ]
    found.sort(key=lambda one: (one.get("index_name") is None, str(one.get("index_name"))))
    page = [jsontext.dump(one).encode() for one in found[start : start + size]]
    return envelope(page, len(found), window)


def connectors_of(population: Population, seed: int) -> list[Document]:
    """Return the documents of a population's connectors; those that are gone are marked as deleted."""
    return [
        _document(connector, seed, place, is_deleted=connector.id in population.deleted)
        for place, connector in enumerate(population.connectors)
    ]


def connectors_named_in(view: View) -> list[Document]:
    """Return the least documents of the connectors that jobs name; of a flat document of 8.5 too."""
    found: dict[str, Document] = {}
    for entry in view.newest_first:
        stored = view.stored(entry.id)
        job: Document = {} if stored is None else jsontext.decode(stored.source)
        nested = job.get("connector")
        connector: Document = nested if isinstance(nested, dict) else job
        connector_id = connector.get("id", connector.get("connector_id"))
        if isinstance(connector_id, str):
            names = {name: connector.get(name) for name in ("index_name", "service_type")}
            found.setdefault(connector_id, {"id": connector_id, "name": connector_id, "status": "connected", **names})
    return list(found.values())


def connectors_given(documents: Mapping[str, Mapping[str, JsonValue]]) -> list[Document]:
    """Return explicit documents with their ids in front."""
    return [{"id": connector_id, **document} for connector_id, document in documents.items()]


def _document(connector: Connector, seed: int, place: int, *, is_deleted: bool) -> Document:
    """Return a connector as Elasticsearch keeps it; its configuration holds secrets in clear, as in its jobs."""
    dice = Dice(seed, place, Part.CONNECTOR)
    seen = stamps.nanoseconds(ANCHOR) - dice.between(1, 86_400) * stamps.SECOND
    status = dice.weighted(_STATUSES)
    return {
        "id": connector.id,
        "api_key_id": None,
        "api_key_secret_id": None,
        "configuration": current_configuration(seed, connector),
        "custom_scheduling": {},
        "description": None,
        "error": "ConnectionError: cannot reach the source" if status == "error" else None,
        "features": {"incremental_sync": {"enabled": connector.has_cursor}, "sync_rules": {"basic": {"enabled": True}}},
        "filtering": [],
        "index_name": connector.index_name,
        "is_native": False,
        "language": connector.language,
        "last_seen": stamps.python(seen),
        "last_sync_status": "error" if status == "error" else "completed",
        "last_synced": stamps.python(seen),
        "name": f"{connector.service_type} of {connector.index_name}",
        "pipeline": {
            "extract_binary_content": True,
            "name": "search-default-ingestion",
            "reduce_whitespace": True,
            "run_ml_inference": False,
        },
        "scheduling": {"full": {"enabled": True, "interval": "0 0 0 * * ?"}},
        "service_type": connector.service_type,
        "status": status,
        "sync_now": False,
    } | ({"deleted": True} if is_deleted else {})
