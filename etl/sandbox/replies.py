"""What the sandbox answers: bodies and headers as Elasticsearch writes them, also its errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from etl import jsontext
from etl.sandbox.indices import JOBS_INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl.jsontext import JsonValue

Headers = tuple[tuple[str, str], ...]

_PRODUCT = ("X-elastic-product", "Elasticsearch")
_JSON: Headers = (_PRODUCT, ("content-type", "application/json"))
_HTML: Headers = (("content-type", "text/html"),)
_SCHEMES = ('Basic realm="security" charset="UTF-8"', 'Bearer realm="security"', "ApiKey")
_SHARD: Mapping[str, JsonValue] = {"shard": 0, "index": JOBS_INDEX}


class Ending(Enum):
    """What becomes of the connection with an answer."""

    WHOLE = "whole"
    CUT = "half of the body is sent, then the connection is closed"
    RESET = "nothing is sent, the connection is reset"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer.

    Attributes:
        delay_s: seconds until it is sent.
    """

    status: int = 200
    body: bytes
    headers: Headers = _JSON
    ending: Ending = Ending.WHOLE
    delay_s: float = 0.0


class RefusedError(Exception):
    """A request that cannot be answered as asked.

    Attributes:
        reply: what is answered instead.
    """

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(value: JsonValue, *, status: int = 200, headers: Headers = ()) -> Reply:
    """Answer with compact JSON."""
    return Reply(status=status, body=jsontext.dump(value).encode(), headers=_JSON + headers)


def error(status: int, cause: Mapping[str, JsonValue], *, headers: Headers = ()) -> Reply:
    """Answer with the envelope of an error whose root cause is also its top."""
    return json_reply({"error": {"root_cause": [cause], **cause}, "status": status}, status=status, headers=headers)


def missing_document(job_id: str) -> Reply:
    """404; the reason is just the id."""
    return error(404, {"type": "resource_not_found_exception", "reason": job_id})


def missing_index(job_id: str) -> Reply:
    """404 where the index of sync jobs does not exist."""
    return error(404, {"type": "resource_not_found_exception", "reason": f"connector sync job [{job_id}] not found"})


def illegal_argument(reason: str) -> Reply:
    """400 for a parameter that cannot be."""
    return error(400, {"type": "illegal_argument_exception", "reason": reason})


def unrecognized(path: str, name: str) -> Reply:
    """400 for a parameter that the address does not know."""
    return illegal_argument(f"request [{path}] contains unrecognized parameter: [{name}]")


def unparsed(kind: str, reason: str) -> Reply:
    """400 for a body that cannot be read; the place is not computed, it is always the first character's."""
    return error(400, {"type": kind, "reason": reason, "line": 1, "col": 1})


def malformed(reason: str) -> Reply:
    """400 for a body that is JSON, but not what the address expects."""
    return unparsed("parsing_exception", reason)


def invalid(*problems: str) -> Reply:
    """400 for a request that lacks something, or has two things that exclude each other."""
    listed = "".join(f"{place}: {problem};" for place, problem in enumerate(problems, 1))
    return error(400, {"type": "action_request_validation_exception", "reason": f"Validation Failed: {listed}"})


def missing_index_cause(name: str, kind: str) -> dict[str, JsonValue]:
    """Return the cause that names an index that does not exist.

    Args:
        name: as asked for.
        kind: `index_or_alias` in answers as a whole, `index_expression` where one document of many is meant.
    """
    return {
        "type": "index_not_found_exception",
        "reason": f"no such index [{name}]",
        "resource.type": kind,
        "resource.id": name,
        "index_uuid": "_na_",
        "index": name,
    }


def no_such_index(name: str) -> Reply:
    """404 for an index that does not exist."""
    return error(404, missing_index_cause(name, "index_or_alias"))


def no_point_in_time() -> Reply:
    """404 for a point in time that is unknown, closed or expired; the reason says nothing of the id that was sent."""
    cause = {"type": "search_context_missing_exception", "reason": "No search context found for id [1]"}
    body = _all_shards_failed([cause], {**_SHARD, "node": "n", "reason": cause})
    return json_reply({"error": body | {"caused_by": cause}, "status": 404}, status=404)


def unsupported_content(content_type: str) -> Reply:
    """406 for a body that does not say it is JSON."""
    reason = f"Content-Type header [{content_type}] is not supported"
    return json_reply({"error": reason, "status": 406}, status=406)


def no_handler(uri: str, method: str) -> Reply:
    """400 with a string as error: what Elasticsearch says about an address that it does not know."""
    return json_reply({"error": f"no handler found for uri [{uri}] and method [{method}]"}, status=400)


def wrong_method(uri: str, method: str, allowed: str) -> Reply:
    """405 for a known address."""
    reason = f"Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{allowed}]"
    return json_reply({"error": reason, "status": 405}, status=405, headers=(("Allow", allowed),))


def unauthenticated(reason: str, **more: str) -> Reply:
    """401; the schemes stand in an array in the body and in headers of their own."""
    cause = {"type": "security_exception", "reason": reason, **more, "header": {"WWW-Authenticate": list(_SCHEMES)}}
    return error(401, cause, headers=tuple(("WWW-Authenticate", scheme) for scheme in _SCHEMES))


def unauthorized(reason: str) -> Reply:
    """403; the reason names the action and what would grant it."""
    return error(403, {"type": "security_exception", "reason": reason})


def incompatible(major: int, asked: str, accept: str) -> Reply:
    """400 for a client that asks for another major version's answers."""
    cause = {
        "type": "media_type_header_exception",
        "reason": "Invalid media-type value on headers [Accept]",
    }
    why = f"Accept version must be either version {major} or {major - 1}, but found {asked}. Accept={accept}"
    body = {"root_cause": [cause], **cause, "caused_by": {"type": "status_exception", "reason": why}}
    return json_reply({"error": body, "status": 400}, status=400)


def too_many(retry_after_s: int | None) -> Reply:
    """429, a circuit breaker. Elasticsearch sends no Retry-After; a proxy may."""
    usages = "[model_inference=0/0b, eql_sequence=0/0b, fielddata=0/0b, request=0/0b, inflight_requests=40/40b]"
    reason = (
        "[parent] Data too large, data for [<http_request>] would be [220036656/209.8mb], which is larger than the "
        "limit of [1/1b], real usage: [220036616/209.8mb], new bytes reserved: [40/40b], usages " + usages
    )
    cause = {
        "type": "circuit_breaking_exception",
        "reason": reason,
        "bytes_wanted": 220036656,
        "bytes_limit": 1,
        "durability": "TRANSIENT",
    }
    return error(429, cause, headers=() if retry_after_s is None else (("Retry-After", str(retry_after_s)),))


def no_shard() -> Reply:
    """503; the reason is null."""
    cause = {"type": "no_shard_available_action_exception", "reason": None}
    return json_reply(
        {"error": _all_shards_failed([cause], {**_SHARD, "node": None, "reason": cause}), "status": 503}, status=503
    )


def result_window(end: int, limit: int) -> Reply:
    """400 for a page that ends beyond the window, 10,000 unless the index says otherwise."""
    reason = (
        f"Result window is too large, from + size must be less than or equal to: [{limit}] but was [{end}]. See the "
        "scroll api for a more efficient way to request large data sets. This limit can be set by changing the "
        "[index.max_result_window] index level setting."
    )
    cause = {"type": "illegal_argument_exception", "reason": reason}
    body = _all_shards_failed([cause], {**_SHARD, "node": "n", "reason": cause})
    return json_reply({"error": body | {"caused_by": cause}, "status": 400}, status=400)


def bad_gateway() -> Reply:
    """502, a page by a proxy."""
    return Reply(status=502, headers=_HTML, body=b"<html><head><title>502 Bad Gateway</title></head></html>\r\n")


def edge_proxy() -> Reply:
    """404 by Elastic Cloud's proxy, which is no Elasticsearch and does not say it is."""
    return Reply(
        status=404,
        headers=(("content-type", "application/json"),),
        body=b'{"ok":false,"message":"Unknown resource."}',
    )


def garbage() -> Reply:
    """200 with no JSON: the page of a portal that stands in between."""
    return Reply(headers=_HTML, body=b"<!DOCTYPE html>\n<html><body>Please sign in to continue.</body></html>\n")


def _all_shards_failed(root: list[JsonValue], shard: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        "root_cause": root,
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "phase": "query",
        "grouped": True,
        "failed_shards": [shard],
    }
