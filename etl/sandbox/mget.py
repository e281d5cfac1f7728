"""`_mget`: many documents by their ids, each with an answer of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl import jsontext
from etl.sandbox import replies
from etl.sandbox.indices import JOBS_INDEX, is_jobs
from etl.sandbox.reading import known_keys
from etl.sandbox.replies import RefusedError, Reply
from etl.sandbox.shaping import SourceFilter, source_filter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.catalogue import View

PARAMETERS = frozenset(
    {"_source", "_source_includes", "_source_excludes", "realtime", "refresh", "preference", "routing"}
)

_BODY_KEYS = frozenset({"ids", "docs"})
_DOC_KEYS = frozenset({"_id", "_index", "_source", "routing"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """One document that is asked for.

    Attributes:
        index: None where neither path nor body names one.
    """

    id: str
    index: str | None
    source: SourceFilter


def wanted_of(index: str | None, body: Mapping[str, JsonValue], parameters: Mapping[str, str]) -> list[Wanted]:
    """Read which documents are asked for, in their order; repeats stay.

    Args:
        index: of the path, for what names none itself.
        body: `ids`, or `docs` with `_id` and perhaps `_index` and `_source`.
        parameters: of the query.

    Raises:
        RefusedError: the body names nothing, or something without an id or an index.
    """
    known_keys(body, _BODY_KEYS)
    source = source_filter(None, parameters)
    wanted = [Wanted(id=_id(one), index=index, source=source) for one in _array(body, "ids")]
    for one in _array(body, "docs"):
        if not isinstance(one, dict):
            raise RefusedError(replies.malformed("docs array element should include an object"))
        known_keys(one, _DOC_KEYS)
        wanted.append(
            Wanted(
                id=_id(one.get("_id")),
                index=one.get("_index", index),
                source=source_filter(one.get("_source"), {}, default=source),
            )
        )
    problems = [
        problem
        for place, one in enumerate(wanted)
        for problem, lacks in ((f"index is missing for doc {place}", one.index is None),
                               (f"id is missing for doc {place}", not one.id))
        if lacks
    ] or (["no documents to get"] if not wanted else [])  # fmt: skip
    if problems:
        raise RefusedError(replies.invalid(*problems))
    return wanted


def mget_reply(view: View | None, wanted: list[Wanted], failing: frozenset[str]) -> Reply:
    """Answer for each document with itself, with `found: false` or with an error.

    Args:
        view: the jobs; None where their index does not exist.
        wanted: the documents.
        failing: ids whose shard is not there.
    """
    docs = b",".join([_doc(view, one, failing) for one in wanted])
    return Reply(body=b'{"docs":[%s]}' % docs)


def _doc(view: View | None, one: Wanted, failing: frozenset[str]) -> bytes:
    if view is None or one.index is None or not is_jobs(one.index):
        return _error(one, one.index or "", replies.missing_index_cause(one.index or "", "index_expression"))
    if one.id in failing:
        reason = f"No shard available for [get [{JOBS_INDEX}][{one.id}]: routing [null]]"
        return _error(one, JOBS_INDEX, {"type": "no_shard_available_action_exception", "reason": reason})
    head = b'{"_index":"%s","_id":%s' % (JOBS_INDEX.encode(), jsontext.dump(one.id).encode())
    stored = view.stored(one.id)
    if stored is None:
        return head + b',"found":false}'
    source = b',"_source":' + one.source.apply(stored.source) if one.source.is_wanted else b""
    written = (stored.version, stored.seq_no)
    return head + b',"_version":%d,"_seq_no":%d,"_primary_term":1,"found":true' % written + source + b"}"


def _error(one: Wanted, index: str, cause: Mapping[str, JsonValue]) -> bytes:
    return jsontext.dump({"_index": index, "_id": one.id, "error": {"root_cause": [cause], **cause}}).encode()


def _array(body: Mapping[str, JsonValue], name: str) -> list[JsonValue]:
    value = body.get(name, [])
    if isinstance(value, list):
        return value
    raise RefusedError(
        replies.malformed(f"unknown key [{name}] for a value that is no array, expected [docs] or [ids]")
    )


def _id(value: JsonValue) -> str:
    if isinstance(value, bool | dict | list):
        raise RefusedError(replies.malformed("ids array element should only contain ids"))
    return "" if value is None else str(value)
