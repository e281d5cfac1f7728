"""Who may read by id, who may list, who may read the index: each has its own privilege."""

from __future__ import annotations

from typing import Any

import pytest

from etl.sandbox.access import ApiKey
from etl.sandbox.identity import id_of

ALIAS = ".elastic-connectors-sync-jobs"
INDEX = ".elastic-connectors-sync-jobs-v1"
ASKS: dict[str, tuple[str, str, Any]] = {
    "root": ("GET", "/", None),
    "job": ("GET", f"/_connector/_sync_job/{id_of(0)}", None),
    "list": ("GET", "/_connector/_sync_job", None),
    "connectors": ("GET", "/_connector", None),
    "mget": ("POST", f"/{ALIAS}/_mget", {"ids": [id_of(0)]}),
    "search": ("POST", f"/{ALIAS}/_search", {}),
    "count": ("GET", f"/{ALIAS}/_count", None),
    "pit": ("POST", f"/{INDEX}/_pit?keep_alive=1m", None),
}
BY_INDEX = {"mget", "search", "count", "pit"}
BY_CLUSTER = {"job", "list", "connectors"}


@pytest.mark.parametrize(
    ("version", "privileges", "allowed"),
    [
        ("9.1.0", {"monitor"}, {"root"}),
        ("9.1.0", {"monitor_connector"}, BY_CLUSTER),
        ("9.1.0", {"read"}, BY_INDEX),
        ("9.1.0", {"monitor", "monitor_connector"}, {"root"} | BY_CLUSTER),
        ("9.1.0", {"monitor", "read"}, {"root"} | BY_INDEX),
        ("9.1.0", {"all"}, set(ASKS)),
        ("9.1.0", set(), set()),
        ("8.15.3", {"monitor_connector"}, set()),
        ("8.15.3", {"read"}, BY_CLUSTER | BY_INDEX),
        ("8.12.2", {"manage"}, {"root"} | BY_CLUSTER),
        ("8.12.2", {"read"}, BY_INDEX),
    ],
)
def test_a_key_may_do_what_its_privileges_grant_and_nothing_else(
    launch: Any, client: Any, version: str, privileges: set[str], allowed: set[str]
) -> None:
    sandbox = launch(version=version, api_keys=(ApiKey(id="one", secret="s", privileges=frozenset(privileges)),))
    statuses = {
        name: client.send(method, sandbox, path, json=body).status_code for name, (method, path, body) in ASKS.items()
    }
    assert statuses == {name: 200 if name in allowed else 403 for name in ASKS}


@pytest.mark.parametrize(
    ("ask", "action", "index"),
    [
        ("mget", "indices:data/read/mget", ALIAS),
        ("search", "indices:data/read/search", ALIAS),
        ("count", "indices:data/read/search", ALIAS),
        ("pit", "indices:data/read/open_point_in_time", INDEX),
    ],
)
def test_the_refusal_names_action_index_and_privilege(
    launch: Any, client: Any, ask: str, action: str, index: str
) -> None:
    key = ApiKey(id="one", secret="s", privileges=frozenset({"monitor_connector"}))
    sandbox = launch(api_keys=(key,))
    method, path, body = ASKS[ask]
    error = client.send(method, sandbox, path, json=body).json()["error"]
    assert error["type"] == "security_exception"
    assert error["reason"] == (
        f"action [{action}] is unauthorized for API key id [one] of user [elastic] on indices [{index}], "
        "this action is granted by the index privileges [read,all]"
    )


def test_a_point_in_time_may_be_closed_by_those_who_may_read(launch: Any, client: Any) -> None:
    reader = ApiKey(id="one", secret="s", privileges=frozenset({"read"}))
    lister = ApiKey(id="two", secret="s", privileges=frozenset({"monitor_connector"}))
    sandbox = launch(api_keys=(reader, lister))
    pit = client.post(sandbox, f"/{ALIAS}/_pit?keep_alive=1m").json()["id"]
    assert client.send("DELETE", sandbox, "/_pit", json={"id": pit}, key=lister.encoded).status_code == 403
    assert client.post(sandbox, "/_search", {"pit": {"id": pit}}, key=lister.encoded).status_code == 403
    assert client.send("DELETE", sandbox, "/_pit", json={"id": pit}).status_code == 200
