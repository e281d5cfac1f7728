"""Many sync jobs by their ids in one request, out of the index itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from etl.extract.reasons import Envelope
from etl.extract.walk.asking import AnswerError, Call
from etl.extract.walk.found import with_id
from etl.extract.walk.point import INDEX
from etl.extract.wire import TooLargeError
from etl.model import Answer, AnswerKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from etl.extract.walk.asking import Asking, Told

IDS_A_REQUEST: Final = 500

_PASSING: Final = frozenset({
    "circuit_breaking_exception", "es_rejected_execution_exception", "no_shard_available_action_exception",
    "node_disconnected_exception", "node_not_connected_exception", "unavailable_shards_exception",
})  # fmt: skip
_NO_INDEX: Final = "index_not_found_exception"


class _Error(msgspec.Struct):
    type: str | None = None
    reason: str | None = None


class _Doc(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    found: bool = False
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b""))
    error: _Error | None = None


class _Docs(msgspec.Struct):
    docs: list[_Doc]


_DOCS: Final = msgspec.json.Decoder(_Docs)


class ManyGetter:
    """Gets jobs by their ids, many in a request.

    Args:
        asking: asks the cluster.
        size: ids in a request.

    Attributes:
        size: see above; halved for good when an answer is too large.
    """

    def __init__(self, asking: Asking, *, size: int = IDS_A_REQUEST) -> None:
        self.size = size
        self._asking = asking

    def get(self, ids: Sequence[str]) -> Iterator[tuple[Answer, ...]]:
        """Yield exactly one answer for each id, in their order, a request's at a time.

        Documents are equal to those that a request for one id gives. An id whose document alone is too large comes
        back as FAILED.

        Args:
            ids: each once.

        Raises:
            RefusedError: the index may not be read; what was yielded holds, the rest can be asked for one by one.
            AnswerError: there is no such index, or it answers no such request; likewise.
            EtlError: see `Asking.ask`.
            StoppedError: see there.
        """
        begin = 0
        while begin < len(ids):
            some = ids[begin : begin + self.size]
            try:
                told = self._asking.ask(_call(some), _reader(some), is_partial=_is_partial)
            except TooLargeError as error:
                if len(some) > 1:
                    self.size = len(some) // 2
                    continue
                yield (self._too_large(some[0], error),)
            else:
                self._check_index(told.value)
                yield tuple(self._answer(doc, told) for doc in told.value)
            begin += len(some)

    def _answer(self, doc: _Doc, told: Told[list[_Doc]]) -> Answer:
        kind = AnswerKind.DOCUMENT
        status: int | None = 200
        body: bytes | None = None
        reason: str | None = None
        if doc.error is not None:
            kind, status = AnswerKind.FAILED, None
            said = ": ".join(part for part in (doc.error.type, doc.error.reason) if part)
            reason = f"{INDEX}: {said}" + (f"; {told.gave_up}" if told.gave_up else "")
        elif not doc.found:
            kind, status = AnswerKind.NOT_FOUND, 404
        else:
            body = with_id(doc.id, bytes(doc.source))
            if body is None:
                kind, body, reason = AnswerKind.REJECTED, bytes(doc.source), "the index holds no document under this id"
        return Answer(
            id=doc.id,
            kind=kind,
            body=body,
            http_status=status,
            attempts=told.attempts,
            elapsed_s=told.elapsed_s,
            reason=None if reason is None else self._asking.line(reason),
            fetched_at=told.at,
        )

    def _check_index(self, docs: list[_Doc]) -> None:
        errors = [doc.error.type for doc in docs if doc.error is not None]
        if len(errors) == len(docs) and set(errors) == {_NO_INDEX}:
            msg = f"{self._asking.who.url} has no index {INDEX}"
            raise AnswerError(msg, 404, Envelope(type=_NO_INDEX))

    def _too_large(self, job_id: str, error: TooLargeError) -> Answer:
        return Answer(
            id=job_id,
            kind=AnswerKind.FAILED,
            http_status=error.status,
            attempts=1,
            reason=self._asking.line(str(error)),
            fetched_at=self._asking.now(),
        )


def _call(ids: Sequence[str]) -> Call:
    return Call(method="POST", path=f"/{INDEX}/_mget", body=msgspec.json.encode({"ids": list(ids)}))


def _reader(ids: Sequence[str]) -> Callable[[bytes], list[_Doc]]:
    def read(body: bytes) -> list[_Doc]:
        docs = _DOCS.decode(body).docs
        if [doc.id for doc in docs] != list(ids):
            msg = "answers for other ids"
            raise ValueError(msg)
        return docs

    return read


def _is_partial(docs: list[_Doc]) -> bool:
    return any(doc.error is not None and doc.error.type in _PASSING for doc in docs)
