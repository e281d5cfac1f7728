"""The list of connectors: those that exist, with the filters of the real one."""

from __future__ import annotations

from typing import Any

import pytest

from etl.sandbox.access import ApiKey
from etl.sandbox.connectors import CONNECTORS
from etl.sandbox.population import Population

LIST = "/_connector"


def test_a_connector_has_the_fields_that_tell_what_it_is(launch: Any, client: Any) -> None:
    page = client.get(launch(), LIST).json()
    assert page["count"] == len(page["results"]) == len(CONNECTORS)
    known = {one.id: one for one in CONNECTORS}
    for connector in page["results"]:
        assert next(iter(connector)) == "id"
        assert connector["service_type"] == known[connector["id"]].service_type
        assert connector["index_name"] == known[connector["id"]].index_name
        assert isinstance(connector["name"], str)
        assert connector["status"] in {"created", "needs_configuration", "configured", "connected", "error"}
        assert connector["configuration"]
        assert (connector["error"] is not None) == (connector["status"] == "error")


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("service_type=mssql,github", {"erp-mssql", "code"}),
        ("index_name=search-wiki", {"wiki"}),
        ("connector_name=jira of search-tickets,x", {"tickets-jira"}),
        ("query=sharepoint", {"hr-sharepoint", "PmT2vZIBkq3mX7a0-_QZ"}),
        ("service_type=github&index_name=search-wiki", set()),
    ],
)
def test_filters_narrow_the_list(launch: Any, client: Any, query: str, ids: set[str]) -> None:
    page = client.get(launch(), f"{LIST}?{query}").json()
    assert {one["id"] for one in page["results"]} == ids
    assert page["count"] == len(ids)


def test_a_deleted_connector_is_gone_unless_it_is_asked_for_and_its_jobs_stay(launch: Any, client: Any) -> None:
    sandbox = launch(population=Population(deleted=frozenset({"wiki"})))
    assert "wiki" not in {one["id"] for one in client.get(sandbox, LIST).json()["results"]}
    whole = client.get(sandbox, f"{LIST}?include_deleted=true").json()["results"]
    assert [one["id"] for one in whole if one.get("deleted")] == ["wiki"]
    assert client.get(sandbox, "/_connector/_sync_job?connector_id=wiki").json()["count"] > 0


def test_deleted_connectors_cannot_be_asked_for_where_they_leave_no_trace(launch: Any, client: Any) -> None:
    answer = client.get(launch(version="8.17.2"), f"{LIST}?include_deleted=true")
    assert answer.status_code == 400
    assert "unrecognized parameter: [include_deleted]" in answer.json()["error"]["reason"]


def test_given_documents_have_the_connectors_that_they_name(launch: Any, client: Any) -> None:
    documents: dict[str, Any] = {
        "nested": {"connector": {"id": "a", "index_name": "i", "service_type": "s3"}},
        "again": {"connector": {"id": "a", "index_name": "i", "service_type": "s3"}},
        "flat": {"connector_id": "b", "index_name": "h"},
        "none": {"connector": None},
        "no json": b"<html>",
    }
    page = client.get(launch(documents=documents), LIST).json()
    found = [(one["id"], one["index_name"], one["service_type"]) for one in page["results"]]
    assert found == [("b", "h", None), ("a", "i", "s3")]


def test_connectors_may_be_given_themselves(launch: Any, client: Any) -> None:
    given: dict[str, Any] = {"x": {"index_name": None, "name": None}, "y": {"index_name": "a", "deleted": True}}
    sandbox = launch(connectors=given)
    assert client.get(sandbox, LIST).json() == {
        "count": 1,
        "results": [{"id": "x", "index_name": None, "name": None}],
    }
    given["z"] = {"index_name": "b"}
    assert client.get(sandbox, LIST).json()["count"] == 2


@pytest.mark.parametrize(
    ("version", "privilege", "status"),
    [("9.1.0", "monitor_connector", 200), ("9.1.0", "read", 403), ("8.15.0", "read", 200), ("8.12.0", "read", 403)],
)
def test_each_version_asks_for_its_privilege_to_list_connectors(
    launch: Any, client: Any, version: str, privilege: str, status: int
) -> None:
    key = ApiKey(id="one", secret="s", privileges=frozenset({privilege}))
    assert client.get(launch(version=version, api_keys=(key,)), LIST).status_code == status


def test_the_index_of_connectors_is_named_where_it_may_not_be_read(launch: Any, client: Any) -> None:
    key = ApiKey(id="one", secret="s", privileges=frozenset())
    reason = client.get(launch(version="8.15.0", api_keys=(key,)), LIST).json()["error"]["reason"]
    assert "[indices:data/read/search]" in reason
    assert "on indices [.elastic-connectors-v1]" in reason
