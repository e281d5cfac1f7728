"""What one answer to "get this sync job" means: status and body to a verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from etl import jsontext
from etl.extract.reasons import describe, one_line, read_envelope
from etl.extract.refusals import fatal_error, no_jobs_index, not_elasticsearch
from etl.extract.wire import NoAnswerError, TooLargeError
from etl.model import AnswerKind

if TYPE_CHECKING:
    from etl.errors import EtlError
    from etl.extract.reasons import Envelope
    from etl.extract.refusals import Asker
    from etl.extract.wire import Response

RETRIED_STATUSES: Final = frozenset({429, 502, 503, 504})
"""As the official client: what passes. A 500 is a defect that stays."""

_OK = 200
_NOT_FOUND = 404


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one answer means.

    Attributes:
        kind: what the id ends with, unless it is asked for again.
        status: HTTP status; None where no answer began.
        body: of the 200.
        reason: why it is no success, masked, one line.
        again: whether asking again may help.
        retry_after: the header of that name, as given.
        fatal: the error that ends the run.
    """

    kind: AnswerKind
    status: int | None
    body: bytes | None = None
    reason: str | None = None
    again: bool = False
    retry_after: str | None = None
    fatal: EtlError | None = None


def judge(job_id: str, response: Response, who: Asker) -> Verdict:
    """Judge the answer to the request for one sync job. The body decides, never a header."""
    status = response.status
    if status == _OK:
        problem = _document_problem(job_id, response.body)
        if problem is None:
            return Verdict(kind=AnswerKind.DOCUMENT, status=status, body=response.body)
        reason = one_line(f"{status}: {problem}", who.mask)
        return Verdict(kind=AnswerKind.REJECTED, status=status, body=response.body, reason=reason, again=True)
    envelope = read_envelope(response.body)
    if status in RETRIED_STATUSES:
        retry_after = response.headers.get("Retry-After")
        reason = describe(response, envelope, who.mask)
        return Verdict(kind=AnswerKind.FAILED, status=status, reason=reason, again=True, retry_after=retry_after)
    fatal = fatal_error(response, envelope, who)
    if fatal is None and status == _NOT_FOUND:
        if envelope.type == "resource_not_found_exception" and not _says_no_index(envelope, job_id):
            return Verdict(kind=AnswerKind.NOT_FOUND, status=status)
        missing = envelope.type in {"resource_not_found_exception", "index_not_found_exception"}
        fatal = (no_jobs_index if missing else not_elasticsearch)(response, envelope, who)
    if fatal is not None:
        return judge_error(fatal, who, status)
    return Verdict(kind=AnswerKind.FAILED, status=status, reason=describe(response, envelope, who.mask))


def judge_error(error: EtlError, who: Asker, status: int | None = None) -> Verdict:
    """Judge what stands in the place of an answer: no answer may come with the next request, all else ends the run."""
    reason = one_line(str(error), who.mask)
    if isinstance(error, NoAnswerError):
        again = not isinstance(error, TooLargeError)
        return Verdict(kind=AnswerKind.FAILED, status=error.status, reason=reason, again=again)
    return Verdict(kind=AnswerKind.FAILED, status=status, reason=reason, fatal=error)


class _Probe(msgspec.Struct):
    id: Any = None


_PROBE: Final = msgspec.json.Decoder(_Probe)


def _document_problem(job_id: str, body: bytes) -> str | None:
    """Say why a body is not the sync job that was asked for; None where it is."""
    try:
        if _PROBE.decode(body).id == job_id:
            return None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass  # the exact decoder decides
    try:
        value = jsontext.decode(body)
    except jsontext.NotJsonError as error:
        return str(error)
    if not isinstance(value, dict):
        return "no JSON object"
    ids = [value["id"]] if "id" in value else []
    if isinstance(value, jsontext.Members):
        # Elasticsearch writes the `_id` and then whatever the stored document holds, another `id` included.
        ids += [item for key, item in value.earlier if key == "id"]
    if job_id in ids:
        return None
    if not ids:
        return "a list of sync jobs, not one" if isinstance(value.get("results"), list) else "no sync job: no id in it"
    return f"another id's answer: {jsontext.dump(ids[0])}"


def _says_no_index(envelope: Envelope, job_id: str) -> bool:
    """A missing document is named by its id alone; this sentence stands for a missing index."""
    return envelope.reason == f"connector sync job [{job_id}] not found"
