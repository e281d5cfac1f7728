"""One batch: ids and settings in, a staged folder and a small result out. Pure but for the cluster and that folder."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from etl.engine.work import Steps
from etl.extract.client import Client
from etl.extract.fetch import Fetcher
from etl.extract.many import ManyFetcher
from etl.jsontext import NotJsonError, decode
from etl.load.place import storage_of
from etl.load.pool import give_back_unused
from etl.load.staging import StagedSummary, stage
from etl.model import Answer, AnswerKind, Document, IdRecord, Outcome, Provenance, RequestedId, StagedBatch
from etl.pipeline.abroad import BatchesAbroad
from etl.settings import Strategy
from etl.transform.raw import raw_frame
from etl.transform.redact import redacted_json
from etl.transform.tables import Transformed, transform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from threading import Event

    from etl.errors import EtlError
    from etl.pipeline.course import Course
    from etl.settings import Connection

_OUTCOMES = {
    AnswerKind.DOCUMENT: Outcome.LOADED,
    AnswerKind.NOT_FOUND: Outcome.NOT_FOUND,
    AnswerKind.FAILED: Outcome.FAILED,
    AnswerKind.REJECTED: Outcome.REJECTED,
}


_FAILURES = frozenset({AnswerKind.FAILED, AnswerKind.REJECTED})


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchTask:
    """The ids of one batch.

    Attributes:
        number: of the batch in its run, from 0.
        ids: each once.
        answers: to all of them, where they are there already; None where they are to be fetched.
        is_counted: whether the progress was told of them already.
    """

    number: int
    ids: tuple[RequestedId, ...]
    answers: tuple[Answer, ...] | None = None
    is_counted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What the cluster said to the ids of one batch.

    Attributes:
        answers: one for each id.
        requests: made for them, repeats included.
        fatal: what ended the fetching, if anything did.
        refusal: why the index was not read although it should have been.
    """

    answers: tuple[Answer, ...]
    requests: int = 0
    fatal: EtlError | None = None
    refusal: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchResult:
    """What became of one batch.

    Attributes:
        number: of the batch.
        staged: what stands on disk under a temporary name; None where nothing was worth staging.
        records: one for each id; LOADED is provisional, for the plan tells whether rows have changed.
        rejected: a line of rejected.ndjson for each rejected answer, redacted.
        redacted: values withheld.
        masked: texts in which something was masked.
        refused_fields: fields that were to be exposed but are secrets.
        fatal: what ended the fetching, if anything did.
        requests: made for the batch, repeats included.
        refusal: why the index was not read although it should have been.
        raw: the documents as received, redacted, a compressed piece of the archive; empty unless they are kept.
    """

    number: int
    staged: StagedSummary | None
    records: tuple[IdRecord, ...]
    rejected: tuple[bytes, ...]
    redacted: int
    masked: int
    refused_fields: frozenset[str]
    fatal: EtlError | None = None
    requests: int = 0
    refusal: str | None = None
    raw: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlace:
    """Where the batches of a run belong; picklable.

    Attributes:
        output: folder of the dataset.
        run_id: of the run.
        provenance: of the rows.
        keep_raw: whether the documents themselves are kept too.
        attempt: see `etl.load.staging.stage`.
    """

    output: Path
    run_id: str
    provenance: Provenance
    keep_raw: bool = False
    attempt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchWork(BatchPlace):
    """What all batches of a run against a cluster share; picklable, so that a batch runs in any place.

    Attributes:
        connection: to the cluster.
        version: of the cluster; None where it may not be read.
        strategy: MGET to read the index; else ids are got one by one.
    """

    connection: Connection
    version: str | None
    strategy: Strategy = Strategy.GET

    @classmethod
    def of(cls, course: Course, connection: Connection, version: str | None) -> BatchWork:
        """Return the work of a run that asks a cluster of a version."""
        return cls(
            connection=connection,
            version=version,
            output=course.output,
            run_id=course.run_id,
            provenance=course.provenance,
            keep_raw=course.settings.keep_raw,
        )

    def by(self, strategy: Strategy) -> BatchWork:
        """Return the work that fetches in another way."""
        return replace(self, strategy=strategy)

    def shared_by(self, workers: int) -> BatchWork:
        """Return the work of one of so many workers, which share the requests that may be under way at once."""
        share = max(1, self.connection.concurrency // workers)
        return replace(self, connection=replace(self.connection, concurrency=share))

    def abroad(self, shares: int) -> BatchesAbroad:
        """Return the work without its secrets; see `etl.engine.work.PortableWork`."""
        return BatchesAbroad.of(self.shared_by(shares))

    def again(self, task: BatchTask) -> BatchTask:
        """Return the task without its documents, which are then got by id: they are most of what a run holds."""
        return task if task.answers is None else replace(task, answers=None, is_counted=True)

    @contextmanager
    def open(self, stop: Event, watch: Callable[[int, int], None]) -> Iterator[Steps[BatchTask, BatchResult]]:
        """Open connections; see `etl.engine.work.Work`."""
        with Client(self.connection) as client, Fetcher(client, version=self.version) as fetcher:
            many = ManyFetcher(client, fetcher, stop=stop, version=self.version)

            by_index = self.strategy is Strategy.MGET

            def fetch(task: BatchTask) -> Fetched:
                if task.answers is not None:
                    return Fetched(answers=task.answers)
                before = many.requests
                answers: list[Answer] = []
                for answer in many.fetch(task.ids) if by_index else fetcher.fetch(task.ids, stop=stop):
                    answers.append(answer)
                    watch(int(not task.is_counted), int(answer.kind in _FAILURES and answer.attempts > 0))
                return Fetched(
                    answers=tuple(answers),
                    requests=many.requests - before if by_index else sum(answer.attempts for answer in answers),
                    fatal=fetcher.fatal,
                    refusal=many.refusal,
                )

            yield Steps(fetch=fetch, stage=self.stage)

    def stage(self, task: BatchTask, fetched: Fetched) -> BatchResult:
        """Stage what was fetched; see `stage_answers`."""
        lines = {requested.id: requested.line for requested in task.ids}
        made = stage_answers(self, task.number, fetched.answers, lines)
        give_back_unused()
        return replace(
            made,
            fatal=fetched.fatal,
            requests=fetched.requests,
            refusal=fetched.refusal,
        )


def stage_answers(
    place: BatchPlace, number: int, answers: Sequence[Answer], lines: Mapping[str, int | None]
) -> BatchResult:
    """Transform answers and stage the rows, under the temporary name of a batch.

    Args:
        place: where the batch belongs.
        number: of the batch.
        answers: to ids that differ.
        lines: of the ids in the jobs file, where there is one.

    Raises:
        OutputError: the disk is full, or refuses.
    """
    exposed = frozenset(place.provenance.exposed)
    loaded = [answer for answer in answers if answer.kind is AnswerKind.DOCUMENT]
    documents = [Document(raw=answer.body or b"", fetched_at=answer.fetched_at, id=answer.id) for answer in loaded]
    result = transform(documents, exposed)
    # The client has seen an id in them; what is refused here is nested beyond measure.
    refused = {loaded[item.position].id: item.reason for item in result.refused}
    not_found = {a.id: a.fetched_at for a in answers if a.kind is AnswerKind.NOT_FOUND}
    kept = [document for document in documents if document.id not in refused] if place.keep_raw else []
    return BatchResult(
        number=number,
        staged=stage_rows(place, number, result, not_found),
        records=tuple(_record(answer, refused.get(answer.id), lines[answer.id]) for answer in answers),
        rejected=tuple(
            rejected_line(answer, refused.get(answer.id) or answer.reason, exposed)
            for answer in answers
            if answer.kind is AnswerKind.REJECTED or answer.id in refused
        ),
        redacted=result.redacted,
        masked=result.masked,
        refused_fields=result.refused_fields,
        raw=raw_frame(kept, exposed),
    )


def stage_rows(
    place: BatchPlace, number: int, result: Transformed, not_found: Mapping[str, datetime]
) -> StagedSummary | None:
    """Stage what documents became; nothing where there is neither a row nor a missing id."""
    if not not_found and not result.tables["sync_jobs"].num_rows:
        return None
    batch = StagedBatch(number=number, tables=result.tables, not_found=not_found)
    return stage(storage_of(place.output), place.run_id, place.provenance, batch, attempt=place.attempt)


def _record(answer: Answer, refused: str | None, line: int | None) -> IdRecord:
    return IdRecord(
        id=answer.id,
        line=line,
        outcome=Outcome.REJECTED if refused else _OUTCOMES[answer.kind],
        http_status=answer.http_status,
        attempts=answer.attempts,
        elapsed_s=round(answer.elapsed_s, 6),
        reason=refused or answer.reason,
        fetched_at=answer.fetched_at if answer.attempts else None,
    )


def rejected_line(answer: Answer, reason: str | None, exposed: frozenset[str]) -> bytes:
    """Return a line of rejected.ndjson: the answer redacted where it is JSON, else only what it measures.

    Text that is no JSON cannot be redacted by its structure, so none of it is kept.
    """
    body = answer.body or b""
    line = {
        "id": answer.id,
        "reason": reason,
        "http_status": answer.http_status,
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    try:
        content = redacted_json(decode(body), exposed)
    except NotJsonError:
        content = "null"
    return msgspec.json.encode({**line, "content": msgspec.Raw(content.encode())})
