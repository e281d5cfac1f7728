"""Many ids in one request: each has an answer of its own."""

from __future__ import annotations

from typing import Any

import pytest

from etl import jsontext
from etl.sandbox.faults import Faults
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import id_of
from etl.sandbox.settings import SEED

ALIAS = ".elastic-connectors-sync-jobs"
INDEX = ".elastic-connectors-sync-jobs-v1"


@pytest.mark.parametrize("index", [ALIAS, INDEX])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_alias_and_index_answer_with_the_documents_as_they_are_stored(
    launch: Any, client: Any, index: str, method: str
) -> None:
    sandbox = launch()
    answer = client.send(method, sandbox, f"/{index}/_mget", json={"ids": [id_of(7), id_of(3)]})
    assert answer.status_code == 200
    for doc, number in zip(answer.json()["docs"], (7, 3), strict=True):
        source = {key: value for key, value in generate_job(SEED, number).items() if key != "id"}
        assert doc == {
            "_index": INDEX,
            "_id": id_of(number),
            "_version": 1,
            "_seq_no": number * 4,
            "_primary_term": 1,
            "found": True,
            "_source": source,
        }


def test_a_document_is_the_same_byte_for_byte_as_alone(launch: Any, client: Any) -> None:
    sandbox = launch()
    alone = client.job(sandbox, id_of(5)).content
    many = client.post(sandbox, f"/{ALIAS}/_mget", {"ids": [id_of(5)]}).content
    assert b'"_source":{' + alone.partition(b",")[2] + b"}" in many


def test_ids_are_answered_in_their_order_as_often_as_they_are_asked_for(launch: Any, client: Any) -> None:
    sandbox = launch(documents={"a": {"n": 1}, "7": {"n": 2}})
    docs = client.post(sandbox, f"/{ALIAS}/_mget", {"ids": ["a", "b", 7, "a"]}).json()["docs"]
    assert [(doc["_id"], doc["found"]) for doc in docs] == [("a", True), ("b", False), ("7", True), ("a", True)]
    assert docs[1] == {"_index": INDEX, "_id": "b", "found": False}
    assert sandbox.requests_by_id == {"a": 2, "b": 1, "7": 1}


def test_documents_may_come_from_several_indices(launch: Any, client: Any) -> None:
    sandbox = launch(documents={"a": {"n": 1}})
    body = {"docs": [{"_id": "a", "_index": INDEX}, {"_id": "a", "_index": "logs"}]}
    found, missing = client.post(sandbox, "/_mget", body).json()["docs"]
    assert found["_source"] == {"n": 1}
    assert missing.keys() == {"_index", "_id", "error"}
    assert missing["error"]["root_cause"][0] == {
        "type": "index_not_found_exception",
        "reason": "no such index [logs]",
        "resource.type": "index_expression",
        "resource.id": "logs",
        "index_uuid": "_na_",
        "index": "logs",
    }


def test_a_cluster_without_the_index_says_so_for_each_id(launch: Any, client: Any) -> None:
    answer = client.post(launch(has_index=False), f"/{ALIAS}/_mget", {"ids": ["a", "b"]})
    assert answer.status_code == 200
    assert [doc["error"]["reason"] for doc in answer.json()["docs"]] == [f"no such index [{ALIAS}]"] * 2


def test_an_id_that_always_fails_fails_alone(launch: Any, client: Any) -> None:
    sandbox = launch(faults=Faults(always_fail=frozenset({id_of(1)})))
    docs = client.post(sandbox, f"/{ALIAS}/_mget", {"ids": [id_of(0), id_of(1)]}).json()["docs"]
    assert docs[0]["found"] is True
    assert docs[1]["error"]["type"] == "no_shard_available_action_exception"
    assert "found" not in docs[1]


SOURCE: dict[str, Any] = {
    "status": "error",
    "connector": {"id": "c", "configuration": {"token": {"value": "secret"}}, "sync_cursor": {"a": 1}},
    "connector.sync_cursor": None,
    "list": [{"keep": 1, "drop": 2}, 3],
}


@pytest.mark.parametrize(
    ("query", "wanted", "expected"),
    [
        ("?_source=false", None, None),
        ("?_source=status", None, {"status": "error"}),
        ("?_source_includes=conn*.id,status", None, {"status": "error", "connector": {"id": "c"}}),
        (
            "?_source_excludes=connector.configuration,list",
            None,
            {
                "status": "error",
                "connector": {"id": "c", "sync_cursor": {"a": 1}},
                "connector.sync_cursor": None,
            },
        ),
        ("?_source_excludes=connector*", None, {"status": "error", "list": [{"keep": 1, "drop": 2}, 3]}),
        ("", False, None),
        ("", True, SOURCE),
        ("", "list.keep", {"list": [{"keep": 1}]}),
        ("?_source=false", ["connector.id"], {"connector": {"id": "c"}}),
        (
            "",
            {"includes": ["connector"], "excludes": ["*.configuration", "connector.sync_cursor"]},
            {"connector": {"id": "c"}},
        ),
    ],
)
def test_parts_of_documents_may_be_asked_for(launch: Any, client: Any, query: str, wanted: Any, expected: Any) -> None:
    doc = {"_id": "a"} if wanted is None else {"_id": "a", "_source": wanted}
    answer = client.post(launch(documents={"a": SOURCE}), f"/{ALIAS}/_mget{query}", {"docs": [doc]}).json()
    assert answer["docs"][0].get("_source") == expected


def test_given_bytes_keep_what_only_json_text_can_hold(launch: Any, client: Any) -> None:
    documents = {
        "a": b'{"id":"a","n":1e400,"m":9007199254740993}',
        "b": b'{"status":"error","id":"b"}',
        "c": b'{"id":"other","status":"error"}',
        "d": b"<html>",
        "e": b"[1]",
    }
    content = client.post(launch(documents=documents), f"/{ALIAS}/_mget", {"ids": [*documents]}).content
    assert b'"_source":{"n":1e400,"m":9007199254740993}' in content
    docs = jsontext.decode(content)["docs"]
    assert docs[1]["_source"] == {"status": "error"}
    assert docs[2]["_source"] == {"id": "other", "status": "error"}
    assert [doc["found"] for doc in docs[3:]] == [False, False]


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (f"/{ALIAS}/_mget", {}, "Validation Failed: 1: no documents to get;"),
        (f"/{ALIAS}/_mget", {"ids": []}, "Validation Failed: 1: no documents to get;"),
        (f"/{ALIAS}/_mget", {"docs": [{}]}, "Validation Failed: 1: id is missing for doc 0;"),
        ("/_mget", {"ids": ["a"]}, "Validation Failed: 1: index is missing for doc 0;"),
        (f"/{ALIAS}/_mget", {"ids": "a"}, "unknown key [ids]"),
        (f"/{ALIAS}/_mget", {"ids": [["a"]]}, "ids array element should only contain ids"),
        (f"/{ALIAS}/_mget", {"docs": ["a"]}, "docs array element should include an object"),
        (f"/{ALIAS}/_mget", {"documents": []}, "unknown key [documents]"),
        (f"/{ALIAS}/_mget", {"docs": [{"_id": "a", "_type": "x"}]}, "unknown key [_type]"),
        (f"/{ALIAS}/_mget", {"docs": [{"_id": "a", "_source": 7}]}, "Expected one of [VALUE_BOOLEAN"),
        (f"/{ALIAS}/_mget?size=5", {"ids": ["a"]}, "unrecognized parameter: [size]"),
    ],
)
def test_a_request_that_cannot_be_is_refused(
    launch: Any, client: Any, path: str, body: dict[str, Any], reason: str
) -> None:
    answer = client.post(launch(), path, body)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("text/plain", b'{"ids":["a"]}', 406),
        ("application/json", b'{"ids":', 400),
        ("application/json", b"[]", 400),
        ("application/vnd.elasticsearch+json; compatible-with=9", b'{"ids":["a"]}', 200),
    ],
)
def test_a_body_must_be_a_json_object_and_say_so(
    launch: Any, client: Any, content_type: str, body: bytes, status: int
) -> None:
    headers = {"Content-Type": content_type}
    answer = client.send("POST", launch(), f"/{ALIAS}/_mget", data=body, headers=headers)
    assert answer.status_code == status


def test_an_address_that_takes_no_body_says_so(launch: Any, client: Any) -> None:
    answer = client.send("GET", launch(), "/_connector", json={"ids": []})
    assert answer.status_code == 400
    assert answer.json()["error"]["reason"] == "request [GET /_connector] does not support having a body"
