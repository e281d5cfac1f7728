"""The form of documents that take the fast path, derived from the declaration of the tables.

A document fits if every member is known, once, of its column's type and written compactly, as Elasticsearch does. Then
one decoder in C cuts it into cells and into the bytes of its parts, and most of it is never a Python value. Everything
else takes the tolerant path, which gives the same rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType
from msgspec.structs import astuple

from etl.schema.declare import Kind
from etl.schema.tables import CONNECTORS, SYNC_JOBS
from etl.transform.shapes import CONNECTOR_ALIASES, CONNECTOR_FIELDS
from etl.transform.withhold import CONFIGURATION_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from etl.schema.declare import Column

_MEMBER_TYPES: dict[Kind, Any] = {
    Kind.STRING: str | UnsetType | None,
    Kind.INTEGER: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | UnsetType | None,
    Kind.TIME: str | UnsetType | None,
}
PART: Final[Any] = Raw | UnsetType
"""The type of a member that is read as a part: its bytes."""


def member_type(column: Column) -> Any:  # noqa: ANN401 - a type as msgspec takes it
    """Return the type of a member that a column takes over as it is."""
    return PART if column.free_text else _MEMBER_TYPES[column.kind]


def _job_members() -> dict[str, Any]:
    """Return the members that are the job's own, with their types."""
    return {column.source[0]: member_type(column) for column in SYNC_JOBS.columns if len(column.source) == 1}


def _connector_members() -> dict[str, Any]:
    """Return the members of the connector; those that no column takes over as they are, are parts."""
    types = {
        path[1]: member_type(column)
        for table in (SYNC_JOBS, CONNECTORS)
        for column in table.columns
        if column.source and len(path := (*(table.node or ()), *column.source)) > 1 and path[2:] == ()
    }
    return {field: types.get(field, PART) for field in CONNECTOR_FIELDS}


JOB_MEMBERS: Final[tuple[str, ...]] = tuple(_job_members())
CONNECTOR_MEMBERS: Final[tuple[str, ...]] = tuple(_connector_members())
JOB_PARTS: Final = tuple(name for name, kind in _job_members().items() if kind is PART)
"""Members of the job that are read as parts: free text, and what has a structure."""
CONNECTOR_PARTS: Final = tuple(name for name, kind in _connector_members().items() if kind is PART)
"""Members of the connector that are read as parts."""


def struct_of(name: str, members: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a class that is made here
    """Make a class whose fields are the members, in order, each of which may be absent."""
    fields = [(f"member_{number}", kind, UNSET) for number, kind in enumerate(members.values())]
    names = {field[0]: member for field, member in zip(fields, members, strict=True)}
    return msgspec.defstruct(name, fields, rename=names, frozen=True, gc=False)


_Connector: Any = struct_of("_Connector", _connector_members())
# A configuration under a dotted key has rules of its own.
_ALIASES = {
    alias: CONNECTOR_MEMBERS.index(field)
    for alias, field in CONNECTOR_ALIASES.items()
    if not ("." in alias and CONFIGURATION_KEY.search(alias))
}
_Job: Any = struct_of(
    "_Job",
    {
        **_job_members(),
        "id": str,
        "connector": _Connector | UnsetType | None,
        **{alias: _connector_members()[CONNECTOR_MEMBERS[place]] for alias, place in _ALIASES.items()},
    },
)
_DECODE = msgspec.json.Decoder(_Job).decode
_ENCODE = msgspec.json.Encoder().encode
_ID = len(JOB_MEMBERS)
_CONNECTOR = _ID + 1
_FIRST_ALIAS = _ID + 2
_NO_ALIAS = (UNSET,) * len(_ALIASES)
_NO_CONNECTOR = (UNSET,) * len(CONNECTOR_MEMBERS)
_NULL = Raw(b"null")


class Fitted(NamedTuple):
    """A document that fits, in pieces.

    Attributes:
        id: its own.
        job: the values of JOB_MEMBERS: texts, numbers, None, UNSET, and Raw for parts.
        connector: the same for CONNECTOR_MEMBERS.
        aliased: whether one of them stands at top level, so that it has another JSON Pointer.
    """

    id: str
    job: tuple[Any, ...]
    connector: Sequence[Any]
    aliased: bool


def fitted(raw: bytes, asked: str | None) -> Fitted | None:
    """Cut a document into pieces; None where it does not fit.

    Args:
        raw: the document as received.
        asked: the id it was asked for by, or None.
    """
    try:
        job = _DECODE(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    # Writing it again never makes a token longer. So where the length is the same, nothing was dropped in silence: no
    # repeated or unknown key, no space, no escape that stands for something shorter.
    if len(_ENCODE(job)) != len(raw):
        return None
    cells = astuple(job)
    job_id = cells[_ID]
    if not (job_id if asked is None else asked == job_id):
        return None
    connector = astuple(cells[_CONNECTOR]) if cells[_CONNECTOR] else _NO_CONNECTOR
    aliases = cells[_FIRST_ALIAS:]
    merged = connector if aliases == _NO_ALIAS else _with_aliases(connector, aliases)
    return None if merged is None else Fitted(job_id, cells[:_ID], merged, merged is not connector)


def _with_aliases(connector: Sequence[Any], aliases: Sequence[Any]) -> Sequence[Any] | None:
    """Bring the connector's members to one place, as `shapes.shape` does; None where two values stand for one."""
    merged = connector
    for place, value in zip(_ALIASES.values(), aliases, strict=True):
        if value is UNSET or value is None or value == _NULL:
            continue
        if not (merged[place] is UNSET or merged[place] is None or merged[place] == _NULL):
            return None
        merged = [*merged[:place], value, *merged[place + 1 :]]
    return merged
