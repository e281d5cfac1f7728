"""Searches in the index and in points in time: order, pages, queries, errors."""

from __future__ import annotations

from typing import Any

import pytest

from etl.sandbox.catalogue import Findings
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.moments import iso, last_millisecond, milliseconds
from etl.sandbox.points import Points
from etl.sandbox.population import DEMO_POPULATION

ALIAS = ".elastic-connectors-sync-jobs"
INDEX = ".elastic-connectors-sync-jobs-v1"
MISSING_DESCENDING = -(2**63)
MISSING_ASCENDING = 2**63 - 1

DOCUMENTS: dict[str, Any] = {
    "old": {"created_at": "2025-01-01T00:00:00Z", "status": "completed", "job_type": "full", "connector": {"id": "a"}},
    "tie 1": {"created_at": "2025-01-02T00:00:00.0009Z", "status": "error", "connector": {"id": "b"}},
    "tie 2": {"created_at": 1735776000000, "status": "error", "job_type": "incremental", "total_document_count": 12},
    "none": {"status": "pending", "connector": {"id": "a", "service_type": "s3"}, "last_seen": "2025-03-01"},
    "new": {"created_at": "2025-01-03T10:20:30.5+01:00", "status": "completed", "connector_id": "flat"},
}


def search(client: Any, sandbox: Any, path: str = f"/{ALIAS}/_search", **body: Any) -> Any:
    answer = client.post(sandbox, path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: Any) -> list[str]:
    return [hit["_id"] for hit in answer["hits"]["hits"]]


def open_point(client: Any, sandbox: Any, keep_alive: str = "1m") -> str:
    return str(client.post(sandbox, f"/{ALIAS}/_pit?keep_alive={keep_alive}").json()["id"])


def test_a_hit_has_the_shape_of_a_sorted_search(launch: Any, client: Any) -> None:
    answer = search(client, launch(documents=DOCUMENTS), sort=[{"created_at": "asc"}], size=1)
    assert answer == {
        "took": 1,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0},
        "hits": {
            "total": {"value": 5, "relation": "eq"},
            "max_score": None,
            "hits": [
                {"_index": INDEX, "_id": "old", "_score": None, "_source": DOCUMENTS["old"], "sort": [1735689600000]}
            ],
        },
    }


def test_without_an_order_hits_have_scores_and_no_sort_values(launch: Any, client: Any) -> None:
    answer = search(client, launch(documents=DOCUMENTS), version=True, seq_no_primary_term=True, _source=False)
    assert ids(answer) == list(DOCUMENTS)
    assert answer["hits"]["max_score"] == 1.0
    assert answer["hits"]["hits"][1] == {
        "_index": INDEX, "_id": "tie 1", "_version": 1, "_seq_no": 4, "_primary_term": 1, "_score": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("sort", "order", "last"),
    [
        ([{"created_at": "desc"}], ["new", "tie 1", "tie 2", "old", "none"], MISSING_DESCENDING),
        ({"created_at": {"order": "asc"}}, ["old", "tie 1", "tie 2", "new", "none"], MISSING_ASCENDING),
        ("created_at", ["old", "tie 1", "tie 2", "new", "none"], MISSING_ASCENDING),
        (
            [{"created_at": {"order": "desc", "missing": "_first", "unmapped_type": "date"}}],
            ["none", "new", "tie 1", "tie 2", "old"],
            1735689600000,
        ),
        ([{"created_at": {"missing": "_first"}}], ["none", "old", "tie 1", "tie 2", "new"], 1735896030500),
        (
            [{"created_at": {"order": "asc", "format": "strict_date_optional_time_nanos"}}],
            ["old", "tie 1", "tie 2", "new", "none"],
            "+292278994-08-17T07:12:55.807Z",
        ),
        ("_doc", list(DOCUMENTS), 4),
    ],
)
def test_hits_come_in_the_order_that_is_asked_for(
    launch: Any, client: Any, sort: Any, order: list[str], last: Any
) -> None:
    answer = search(client, launch(documents=DOCUMENTS), sort=sort)
    assert ids(answer) == order
    assert answer["hits"]["hits"][-1]["sort"] == [last]


def test_sort_values_are_times_where_a_format_is_asked_for_and_are_read_back(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    sort = [{"created_at": {"order": "desc", "format": "strict_date_optional_time"}}]
    first = search(client, sandbox, sort=sort, size=1)["hits"]["hits"][0]["sort"]
    assert first == ["2025-01-03T09:20:30.500Z"]
    assert ids(search(client, sandbox, sort=sort, search_after=first)) == ["tie 1", "tie 2", "old", "none"]
    assert ids(search(client, sandbox, sort=sort, search_after=["1735776000000"])) == ["old", "none"]


def test_the_sort_value_of_an_undated_job_can_be_read_back_as_a_number_only(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    sort = [{"created_at": "desc"}]
    assert ids(search(client, sandbox, sort=sort, search_after=[MISSING_DESCENDING])) == []
    for text in (str(MISSING_DESCENDING), "-292275055-05-16T16:47:04.192Z"):
        answer = client.post(sandbox, f"/{ALIAS}/_search", {"sort": sort, "search_after": [text]})
        assert (answer.status_code, answer.json()["error"]["type"]) == (400, "parse_exception")


def test_without_a_tie_break_a_page_that_ends_in_a_tie_loses_its_rest(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    first = search(client, sandbox, sort=[{"created_at": "desc"}], size=2)
    assert ids(first) == ["new", "tie 1"]
    after = first["hits"]["hits"][-1]["sort"]
    assert ids(search(client, sandbox, sort=[{"created_at": "desc"}], search_after=after)) == ["old", "none"]


@pytest.mark.parametrize(
    "sort",
    [
        [{"created_at": "desc"}],
        [{"created_at": "desc"}, "_shard_doc"],
        [{"created_at": "desc"}, {"_shard_doc": "desc"}],
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_point_in_time_always_has_a_tie_break_and_loses_nothing(
    launch: Any, client: Any, sort: list[Any], size: int
) -> None:
    sandbox = launch(documents=DOCUMENTS)
    pit = open_point(client, sandbox)
    found: list[str] = []
    more: dict[str, Any] = {}
    while True:
        answer = search(client, sandbox, "/_search", pit={"id": pit}, sort=sort, size=size, **more)
        assert answer["pit_id"] == pit
        if not ids(answer):
            break
        found += ids(answer)
        more = {"search_after": answer["hits"]["hits"][-1]["sort"]}
        assert len(more["search_after"]) == 2
    assert sorted(found) == sorted(DOCUMENTS)


def test_from_and_size_page_through_the_window(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    body: dict[str, Any] = {"sort": ["_doc"], "from": 3, "size": 9}
    assert ids(search(client, sandbox, **body)) == ["none", "new"]
    answer = client.get(sandbox, f"/{ALIAS}/_search?from=1&size=1&_source=status&track_total_hits=2")
    assert ids(answer.json()) == ["tie 1"]
    assert answer.json()["hits"]["hits"][0]["_source"] == {"status": "error"}
    assert answer.json()["hits"]["total"] == {"value": 2, "relation": "gte"}


QUERIES: dict[str, tuple[Any, list[str]]] = {
    "all": ({"match_all": {}}, ["old", "tie 1", "tie 2", "none", "new"]),
    "nothing": ({"match_none": {}}, []),
    "term": ({"term": {"status": "error"}}, ["tie 1", "tie 2"]),
    "term as an object": ({"term": {"status": {"value": "error"}}}, ["tie 1", "tie 2"]),
    "terms": ({"terms": {"status": ["error", "pending"]}}, ["tie 1", "tie 2", "none"]),
    "nested field": ({"term": {"connector.id": "a"}}, ["old", "none"]),
    "field of the document": ({"term": {"connector.service_type": "s3"}}, ["none"]),
    "number of the document": ({"range": {"total_document_count": {"gt": 11, "lte": 12}}}, ["tie 2"]),
    "field outside the mapping": ({"term": {"connector_id": "flat"}}, []),
    "range outside the mapping": ({"range": {"nothing": {"gt": 1}}}, []),
    "time": ({"term": {"created_at": "2025-01-02"}}, ["tie 1", "tie 2"]),
    "ids": ({"ids": {"values": ["new", "old", "x"]}}, ["old", "new"]),
    "exists": ({"exists": {"field": "created_at"}}, ["old", "tie 1", "tie 2", "new"]),
    "exists in the document": ({"exists": {"field": "last_seen"}}, ["none"]),
    "exists outside the mapping": ({"exists": {"field": "nothing"}}, []),
    "half-open": ({"range": {"created_at": {"gte": "2025-01-02T00:00:00Z", "lt": 1735896030500}}}, ["tie 1", "tie 2"]),
    "a day rounds up": ({"range": {"created_at": {"lte": "2025-01-02"}}}, ["old", "tie 1", "tie 2"]),
    "a day rounds up for gt too": (
        {"range": {"created_at": {"gt": "2025-01-02", "format": "strict_date_optional_time"}}},
        ["new"],
    ),
    "filter": ({"bool": {"filter": [{"term": {"status": "error"}}, {"exists": {"field": "job_type"}}]}}, ["tie 2"]),
    "one clause": ({"bool": {"must": {"term": {"status": "error"}}}}, ["tie 1", "tie 2"]),
    "must not": ({"bool": {"must_not": [{"exists": {"field": "job_type"}}]}}, ["tie 1", "none", "new"]),
    "should": ({"bool": {"should": [{"term": {"status": "pending"}}, {"ids": {"values": ["old"]}}]}}, ["old", "none"]),
    "should beside filter": (
        {"bool": {"filter": [{"match_all": {}}], "should": [{"term": {"status": "pending"}}]}},
        ["old", "tie 1", "tie 2", "none", "new"],
    ),
    "minimum": (
        {
            "bool": {
                "filter": [{"match_all": {}}],
                "should": [{"term": {"status": "pending"}}],
                "minimum_should_match": 1,
            }
        },
        ["none"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_finds_what_it_says_and_counts_as_much(launch: Any, client: Any, name: str) -> None:
    query, expected = QUERIES[name]
    sandbox = launch(documents=DOCUMENTS)
    assert ids(search(client, sandbox, query=query, sort=["_doc"])) == expected
    count = client.post(sandbox, f"/{INDEX}/_count", {"query": query}).json()
    assert count == {"count": len(expected), "_shards": {"total": 1, "successful": 1, "skipped": 0, "failed": 0}}


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        ({"query": {}}, "parsing_exception", "[query] malformed"),
        ({"query": {"term": []}}, "parsing_exception", "[term] query malformed"),
        ({"query": {"term": {"status": None}}}, "parsing_exception", "[term] query needs a value"),
        ({"query": {"terms": {"status": "error"}}}, "parsing_exception", "requires an array"),
        ({"query": {"terms": {"status": [[]]}}}, "parsing_exception", "texts and numbers"),
        ({"query": {"ids": {"values": "a"}}}, "parsing_exception", "[ids] query"),
        ({"query": {"exists": {}}}, "parsing_exception", "[exists]"),
        ({"query": {"range": {"created_at": {"after": 1}}}}, "parsing_exception", "[range]"),
        ({"query": {"range": {"created_at": {"gte": "now-1d"}}}}, "parse_exception", "[now-1d]"),
        (
            {"query": {"range": {"created_at": {"gte": 1, "format": "yyyy"}}}},
            "illegal_argument_exception",
            "Invalid format",
        ),
        (
            {"query": {"range": {"total_document_count": {"gte": "x"}}}},
            "illegal_argument_exception",
            "For input string",
        ),
        ({"query": {"bool": {"minimum_should_match": "75%"}}}, "parsing_exception", "[minimum_should_match]"),
        ({"quary": {}}, "parsing_exception", "unknown key [quary]"),
        ({"size": -1}, "illegal_argument_exception", "[size]"),
        ({"from": True}, "illegal_argument_exception", "[from]"),
        ({"sort": [1]}, "parsing_exception", "[sort]"),
        ({"sort": ["status"]}, "query_shard_exception", "[status]"),
        ({"sort": ["_shard_doc"]}, "illegal_argument_exception", "without [point in time]"),
        ({"sort": [{"created_at": "down"}]}, "illegal_argument_exception", "[down]"),
        ({"sort": [{"created_at": {"mode": "min"}}]}, "x_content_parse_exception", "mode"),
        ({"search_after": [1]}, "illegal_argument_exception", "Sort must contain"),
        ({"sort": ["created_at"], "search_after": [1, 2]}, "illegal_argument_exception", "2 value(s) but sort has 1"),
        ({"sort": ["created_at"], "search_after": [None]}, "illegal_argument_exception", "search_after value"),
        ({"sort": ["_doc"], "search_after": ["1"]}, "parse_exception", "[1]"),
        ({"sort": ["created_at"], "search_after": 1}, "parsing_exception", "[search_after]"),
        (
            {"sort": ["created_at"], "search_after": [1], "from": 1},
            "action_request_validation_exception",
            "`from` parameter must be set to 0",
        ),
        ({"pit": {"id": "x"}}, "action_request_validation_exception", "[indices] cannot be used"),
        ({"pit": {}}, "parsing_exception", "[pit] needs an [id]"),
        ({"_source": 3}, "parsing_exception", "[_source]"),
        ({"track_total_hits": "some"}, "illegal_argument_exception", "[track_total_hits]"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_is_refused(
    launch: Any, client: Any, body: dict[str, Any], kind: str, reason: str
) -> None:
    answer = client.post(launch(documents=DOCUMENTS), f"/{ALIAS}/_search", body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == kind
    assert reason in answer.json()["error"]["reason"]


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        (f"/{ALIAS}/_pit", 400, "action_request_validation_exception"),
        (f"/{ALIAS}/_pit?keep_alive=soon", 400, "illegal_argument_exception"),
        (f"/{ALIAS}/_pit?keep_alive=1m&routing=x", 400, "illegal_argument_exception"),
        ("/logs/_pit?keep_alive=1m", 404, "index_not_found_exception"),
        ("/logs*/_pit?keep_alive=1m", 404, "index_not_found_exception"),
    ],
)
def test_a_point_in_time_that_cannot_be_is_not_opened(
    launch: Any, client: Any, path: str, status: int, kind: str
) -> None:
    sandbox = launch(documents=DOCUMENTS)
    answer = client.post(sandbox, path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
    assert sandbox.open_points_in_time == 0


def test_a_point_in_time_is_lost_with_its_node(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    pit = open_point(client, sandbox)
    sandbox.close_points_in_time()
    for point_id in (pit, "never issued"):
        answer = client.post(sandbox, "/_search", {"pit": {"id": point_id}})
        assert answer.status_code == 404
        error = answer.json()["error"]
        assert error["type"] == "search_phase_execution_exception"
        assert error["root_cause"][0]["type"] == "search_context_missing_exception"


def test_a_point_in_time_keeps_given_documents_as_they_were(launch: Any, client: Any) -> None:
    documents: dict[str, Any] = {"a": {"connector": {"id": "x"}}, "b": {"status": "pending"}}
    sandbox = launch(documents=documents)
    pit = open_point(client, sandbox)
    documents["a"]["connector"]["id"] = "changed"
    del documents["b"]
    documents["c"] = {}
    assert ids(search(client, sandbox, "/_search", pit={"id": pit, "keep_alive": "1m"})) == ["a", "b"]
    assert search(client, sandbox, "/_search", pit={"id": pit})["hits"]["hits"][0]["_source"]["connector"]["id"] == "x"
    assert ids(search(client, sandbox)) == ["a", "c"]


def test_points_in_time_are_closed_one_by_one_or_together(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    pits = [open_point(client, sandbox) for _ in range(3)]
    one = client.send("DELETE", sandbox, "/_pit", json={"id": pits[0]})
    assert (one.status_code, one.json()) == (200, {"succeeded": True, "num_freed": 1})
    both = client.send("DELETE", sandbox, "/_pit", json={"id": pits})
    assert (both.status_code, both.json()) == (200, {"succeeded": True, "num_freed": 2})
    again = client.send("DELETE", sandbox, "/_pit", json={"id": pits[0]})
    assert (again.status_code, again.json()) == (404, {"succeeded": True, "num_freed": 0})
    assert client.send("DELETE", sandbox, "/_pit", json={}).status_code == 400


def test_a_point_in_time_lives_as_long_as_it_is_used() -> None:
    now = 0.0
    points = Points(lambda: now)
    view = GeneratedJobs(1, 3, DEMO_POPULATION).view()
    used, idle = points.open(view, 60), points.open(view, 60)
    now = 50.0
    assert points.view(used, 60) is view
    assert points.view(used, 5) is view
    assert len(points) == 2
    now = 61.0
    assert points.view(idle, 60) is None
    assert points.view(used, None) is view
    now = 111.0
    assert points.close([used, idle]) == 0


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (f"/{ALIAS},{INDEX}/_search", 5),
        ("/.elastic-connectors-sync*/_search", 5),
        ("/logs*/_search", 0),
        ("/_search", 0),
        (f"/logs,{ALIAS}/_search?ignore_unavailable=true", 5),
    ],
)
def test_names_of_indices_mean_what_they_match_and_a_hidden_one_only_by_its_dot(
    launch: Any, client: Any, path: str, found: int
) -> None:
    assert len(ids(search(client, launch(documents=DOCUMENTS), path))) == found


def test_a_name_that_is_no_index_is_named_by_the_error(launch: Any, client: Any) -> None:
    answer = client.post(launch(documents=DOCUMENTS), f"/{ALIAS},logs/_search", {})
    assert answer.status_code == 404
    assert answer.json()["error"]["root_cause"][0]["index"] == "logs"
    assert client.post(launch(), "/_nothing/_search", {}).status_code == 400


def test_findings_are_kept_for_a_few_questions_only() -> None:
    findings = Findings()
    asked: list[int] = []

    def find(number: int) -> int:
        return findings.remember(number, lambda: asked.append(number) or number)  # type: ignore[func-returns-value]  # noted, then found

    assert [find(number) for number in (1, 1, 2, 1)] == [1, 1, 2, 1]
    assert asked == [1, 2]
    for number in range(10):
        find(number)
    find(1)
    assert asked.count(1) == 2


@pytest.mark.parametrize("value", [True, None, "soon", "", 10**18, "99999999999999999", [], "-5"])
def test_what_is_no_time_has_no_milliseconds(value: Any) -> None:
    assert milliseconds(value) is None
    assert last_millisecond(value) is None


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("2025-01-02", 86_399_999),
        ("2025-01-02T10:20Z", 59_999),
        ("2025-01-02T10:20:30", 999),
        ("2025-01-02 10:20:30.5", 0),
    ],
)
def test_a_bound_rounds_up_to_the_last_of_what_it_leaves_out(text: str, more: int) -> None:
    begin, end = milliseconds(text), last_millisecond(text)
    assert begin is not None
    assert end is not None
    assert end - begin == more
    assert milliseconds(iso(begin)) == begin
