"""Parts of answers, and the other parameters that every address takes."""

from __future__ import annotations

from typing import Any

import pytest

from etl.sandbox.identity import id_of
from etl.sandbox.shaping import filtered

LIST = "/_connector/_sync_job"
DOCUMENTS: dict[str, Any] = {
    "a": {
        "status": "error",
        "connector": {"id": "c", "configuration": {"token": {"value": "secret"}}},
        "connector.sync_cursor": {"a": 1},
    },
    "b": {"status": "completed", "connector": {"configuration": {}}},
}


@pytest.mark.parametrize(
    ("filter_path", "expected"),
    [
        ("id,status", {"id": "a", "status": "error"}),
        ("-connector", {"id": "a", "status": "error", "connector.sync_cursor": {"a": 1}}),
        (
            "-connector.configuration",
            {"id": "a", "status": "error", "connector": {"id": "c"}, "connector.sync_cursor": {"a": 1}},
        ),
        ("connector.*.token,-**.value", {"connector": {"configuration": {"token": {}}}}),
        ("**.value", {"connector": {"configuration": {"token": {"value": "secret"}}}}),
        ("**", {"id": "a", **DOCUMENTS["a"]}),
        ("c*.id", {"connector": {"id": "c"}}),
        (r"connector\.sync_cursor", {"connector.sync_cursor": {"a": 1}}),
        ("connector.sync_cursor", {}),
        ("nothing", {}),
    ],
)
def test_a_job_is_reduced_to_the_paths_that_are_asked_for(
    launch: Any, client: Any, filter_path: str, expected: Any
) -> None:
    answer = client.get(launch(documents=DOCUMENTS), f"{LIST}/a", params={"filter_path": filter_path})
    assert answer.status_code == 200
    assert answer.json() == expected


def test_paths_go_through_the_elements_of_a_list(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    answer = client.get(sandbox, f"{LIST}?filter_path=-results.connector.configuration").json()
    assert answer["count"] == 2
    assert [job["connector"] for job in answer["results"]] == [{"id": "c"}, {}]
    answer = client.get(sandbox, f"{LIST}?filter_path=results.connector.id,count").json()
    assert answer == {"count": 2, "results": [{"connector": {"id": "c"}}]}


def test_every_address_takes_the_parameter(launch: Any, client: Any) -> None:
    sandbox = launch(documents=DOCUMENTS)
    assert client.get(sandbox, "/?filter_path=version.number").json() == {"version": {"number": "9.1.0"}}
    path = "/.elastic-connectors-sync-jobs/_mget?filter_path=docs._id,docs.found"
    assert client.post(sandbox, path, {"ids": ["a", "x"]}).json() == {
        "docs": [{"_id": "a", "found": True}, {"_id": "x", "found": False}]
    }


def test_errors_are_never_filtered(launch: Any, client: Any) -> None:
    answer = client.get(launch(), f"{LIST}/unknown?filter_path=status")
    assert answer.json()["error"]["type"] == "resource_not_found_exception"


def test_what_is_no_json_and_what_no_value_can_hold_pass_through() -> None:
    assert filtered(b"<html>", "-a") == b"<html>"
    assert filtered(b'{"a":1e400,"b":null,"c":[1,[]]}', "-b") == b'{"a":1e400,"c":[1,[]]}'
    assert filtered(b'{"a":null,"b":[{"c":1},2,{"d":3}]}', "a,b.c") == b'{"a":null,"b":[{"c":1}]}'
    assert filtered(b'{"a":1}', " , ") == b'{"a":1}'


@pytest.mark.parametrize("parameter", ["human", "error_trace", "human=false"])
def test_common_parameters_change_nothing_here(launch: Any, client: Any, parameter: str) -> None:
    sandbox = launch()
    path = f"{LIST}/{id_of(0)}"
    assert client.get(sandbox, f"{path}?{parameter}").content == client.get(sandbox, path).content


def test_pretty_means_lines_and_a_value_that_is_no_boolean_is_refused(launch: Any, client: Any) -> None:
    sandbox = launch()
    path = f"{LIST}/{id_of(0)}"
    answer = client.get(sandbox, f"{path}?pretty")
    assert answer.text.startswith('{\n  "id": ')
    assert answer.json() == client.get(sandbox, path).json()
    assert client.get(sandbox, f"{path}?pretty=maybe").status_code == 400


def test_a_page_in_many_lines_that_is_no_json_stays_as_it_is(launch: Any, client: Any) -> None:
    sandbox = launch(documents={"a": b"<html>"})
    assert client.get(sandbox, f"{LIST}/a?pretty&filter_path=-x").content == b"<html>"
