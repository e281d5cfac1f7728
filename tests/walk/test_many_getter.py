"""Many ids in one request: the same documents as one by one, and an answer for every id."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from documents import compact

from etl.errors import EtlError, RefusedError, UnreachableError
from etl.extract.fetch import Fetcher
from etl.extract.mget import ManyGetter
from etl.extract.retry import RetryPolicy
from etl.extract.walk.asking import AnswerError, StoppedError
from etl.extract.wire import Response
from etl.model import AnswerKind, RequestedId
from etl.sandbox.faults import Faults
from etl.sandbox.identity import id_of
from tests.walk.conftest import READER, doc

if TYPE_CHECKING:
    from etl.model import Answer
    from tests.walk.conftest import Cluster, Launch

MGET = "POST /{index}/_mget"


def got(cluster: Cluster, ids: list[str], **more: Any) -> list[Answer]:
    return [answer for group in ManyGetter(cluster.asking(), **more).get(ids) for answer in group]


def one_by_one(cluster: Cluster, ids: list[str]) -> dict[str, Answer]:
    with Fetcher(cluster.client, policy=RetryPolicy(max_attempts=1)) as fetcher:
        asked = [RequestedId(id=job_id) for job_id in ids]
        return {answer.id: answer for answer in fetcher.fetch(asked, stop=threading.Event())}


def test_documents_are_those_of_single_requests_byte_for_byte(launch: Launch) -> None:
    cluster = launch(jobs=600)
    ids = [id_of(number) for number in range(620)]
    single = one_by_one(cluster, ids)
    answers = got(cluster, ids)
    assert [answer.id for answer in answers] == ids
    assert [answer.body for answer in answers] == [single[job_id].body for job_id in ids]
    assert [answer.kind for answer in answers] == [single[job_id].kind for job_id in ids]
    assert [answer.http_status for answer in answers] == [single[job_id].http_status for job_id in ids]
    assert sum(answer.kind is AnswerKind.NOT_FOUND for answer in answers) == 20
    assert cluster.sandbox.requests_by_route[MGET] == 2


def test_ids_of_any_characters_are_written_as_the_api_writes_them(launch: Launch) -> None:
    ids = ['quo"te', "back\\slash", "ümläut/€", "a b", "007"]
    cluster = launch({job_id: doc() for job_id in ids})
    single = one_by_one(cluster, ids)
    assert {answer.id: answer.body for answer in got(cluster, ids)} == {key: one.body for key, one in single.items()}


def test_a_source_that_is_not_compact_keeps_its_bytes_behind_the_id(launch: Launch) -> None:
    source = b'{\n  "status" : "error", "n": 1.50\n}'
    cluster = launch({})
    docs = b'{"docs":[{"_id":"a","found":true,"_source":%s},{"_id":"b","found":true,"_source":{}}]}' % source
    cluster.client.instead = lambda *_: Response(status=200, headers={}, body=docs)
    first, second = got(cluster, ["a", "b"])
    assert first.body == b'{"id":"a","status" : "error", "n": 1.50\n}'
    assert json.loads(first.body) == {"id": "a", "status": "error", "n": 1.5}
    assert second.body == b'{"id":"b"}'


def test_a_request_that_is_too_large_is_halved_and_one_document_that_is_fails_alone(launch: Launch) -> None:
    documents = {f"job-{number:02}": doc(number) for number in range(40)}
    documents["job-17"]["error"] = "x" * 9_000
    cluster = launch(documents, connection={"max_response_bytes": 4_000})
    answers = got(cluster, list(documents), size=40)
    assert [answer.id for answer in answers] == list(documents)
    failed = [answer for answer in answers if answer.kind is not AnswerKind.DOCUMENT]
    assert [(answer.id, answer.kind) for answer in failed] == [("job-17", AnswerKind.FAILED)]
    assert "larger than 4000 bytes" in str(failed[0].reason)


def test_a_document_whose_shard_is_away_is_asked_for_again_and_then_fails_alone(launch: Launch) -> None:
    cluster = launch({name: doc() for name in "abc"}, faults=Faults(always_fail=frozenset({"b"})))
    answers = {answer.id: answer for answer in got(cluster, ["a", "b", "c"])}
    assert answers["a"].kind is answers["c"].kind is AnswerKind.DOCUMENT
    assert answers["b"].kind is AnswerKind.FAILED
    assert "no_shard_available" in str(answers["b"].reason)
    assert "given up after 3 attempts" in str(answers["b"].reason)
    assert answers["b"].attempts == 3


def test_what_passes_is_asked_again(launch: Launch) -> None:
    ids = [id_of(number) for number in range(60)]
    faults = Faults(unavailable=0.3, cut=0.2, garbage=0.1, reset=0.1, max_in_row=2)
    cluster = launch(jobs=60, faults=faults)
    assert {answer.kind for answer in got(cluster, ids, size=10)} == {AnswerKind.DOCUMENT}


@pytest.mark.parametrize("key", [READER], ids=["no index privilege"])
def test_one_that_may_not_read_the_index_is_refused_before_any_answer(launch: Launch, key: Any) -> None:
    cluster = launch({"a": doc()}, key=key)
    with pytest.raises(RefusedError, match="needs the index privilege read"):
        got(cluster, ["a"])


def test_an_index_that_is_not_there_is_said_so(launch: Launch) -> None:
    with pytest.raises(AnswerError, match="no index"):
        got(launch({}, has_index=False), ["a", "b"])


def test_answers_for_other_ids_are_no_answer(launch: Launch) -> None:
    cluster = launch({})
    body = compact({"docs": [{"_id": "b", "found": False}]})
    cluster.client.instead = lambda *_: Response(status=200, headers={}, body=body)
    with pytest.raises(UnreachableError, match="not what was asked for"):
        got(cluster, ["a"])


def test_a_document_without_source_is_rejected(launch: Launch) -> None:
    cluster = launch({})
    body = compact({"docs": [{"_id": "a", "found": True}, {"_id": "b", "found": True, "_source": [1]}]})
    cluster.client.instead = lambda *_: Response(status=200, headers={}, body=body)
    first, second = got(cluster, ["a", "b"])
    assert (first.kind, second.kind) == (AnswerKind.REJECTED, AnswerKind.REJECTED)
    assert second.body == b"[1]"


def test_a_stop_ends_it_before_the_next_request(launch: Launch) -> None:
    cluster = launch({name: doc() for name in "abcd"})
    groups = ManyGetter(cluster.asking(), size=2).get(list("abcd"))
    assert len(next(groups)) == 2
    cluster.stop.set()
    with pytest.raises(StoppedError):
        next(groups)


def test_no_ids_are_no_request(launch: Launch) -> None:
    cluster = launch({})
    assert got(cluster, []) == []
    assert not cluster.client.asked


def test_a_cluster_that_does_not_answer_is_an_error(launch: Launch) -> None:
    cluster = launch({}, faults=Faults(reset=1.0, max_in_row=99))
    with pytest.raises(EtlError, match="given up"):
        got(cluster, ["a"])
