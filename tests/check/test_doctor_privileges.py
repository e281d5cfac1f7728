"""The doctor on what credentials reach: each privilege that is missing is named, and what more would give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from documents import job
from examinations import SECRET, assert_wrong, detail, examined, of, root, states
from servers import ScriptedServer, reply

from etl.sandbox.access import ApiKey
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import FULL_KEY, POOR_KEY, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benches import MakeBench


def test_a_key_that_the_cluster_does_not_know(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})

    ended = of(bench, ELASTICSEARCH_API_KEY=ApiKey(id="other", secret=SECRET).encoded)

    assert_wrong(ended, "credentials", "refuses the API key; check ELASTICSEARCH_API_KEY", "401")
    assert states(ended)["version"] == "skipped"
    assert SECRET not in ended.out


def test_a_wrong_password(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    env = {"ELASTICSEARCH_API_KEY": "", "ELASTICSEARCH_USERNAME": "elastic", "ELASTICSEARCH_PASSWORD": SECRET}

    ended = of(bench, **env)

    assert_wrong(ended, "credentials", "refuses user 'elastic' with a password")
    assert SECRET not in ended.out


def test_no_credentials_where_none_are_asked_for_is_a_warning(make: MakeBench) -> None:
    ended = of(make({"a": job(id="a")}, api_keys=(), users={}), ELASTICSEARCH_API_KEY="")

    assert (ended.code, states(ended)["credentials"]) == (0, "warning")


@pytest.mark.parametrize("transport", ["requests", "curl"])
def test_what_carries_the_requests_is_named(make: MakeBench, transport: str) -> None:
    ended = of(make({"a": job(id="a")}), ETL_TRANSPORT=transport)

    assert "; requests are carried by " + {"requests": "requests 2", "curl": "libcurl "}[transport] in detail(
        ended, "answer"
    )


@pytest.mark.parametrize("version", ["8.11.4", "7.17.0"])
def test_a_version_without_sync_jobs(make: MakeBench, version: str) -> None:
    ended = of(make({}, version=version))

    assert_wrong(ended, "version", f"is Elasticsearch {version}: connector sync jobs need 8.12 or later")
    assert states(ended)["privilege"] == "skipped"


@pytest.mark.parametrize(
    ("version", "privilege"),
    [
        ("8.12.2", "the cluster privilege manage"),
        ("8.15.0", "the index privilege read on .elastic-connectors-sync-jobs-v1"),
        ("9.1.0", "the cluster privilege monitor_connector"),
    ],
)
def test_a_missing_privilege_is_named_as_its_version_has_it(make: MakeBench, version: str, privilege: str) -> None:
    bench = make({"a": job(id="a")}, version=version)

    ended = of(bench, ELASTICSEARCH_API_KEY=POOR_KEY.encoded)
    enough = of(bench)

    assert_wrong(ended, "privilege", f"the API key needs {privilege}")
    assert (states(ended)["version"], states(ended)["index"]) == ("ok", "skipped")
    assert privilege in detail(enough, "privilege")


def key(*privileges: str) -> ApiKey:
    return ApiKey(id="narrow", secret="narrow", privileges=frozenset(privileges))


def test_the_least_privilege_is_no_fault_and_what_more_would_give_is_said(make: MakeBench) -> None:
    least = key("monitor_connector")
    bench = make({"a": job(id="a")}, api_keys=(FULL_KEY, least))

    ended = of(bench, ELASTICSEARCH_API_KEY=least.encoded)

    assert ended.code == 0
    assert set(states(ended).values()) == {"ok", "skipped"}
    assert "needs the index privilege read" in detail(ended, "index")
    assert "--strategy mget gets 500 ids a request" in detail(ended, "index")
    assert "with the cluster privilege monitor a dataset would know the cluster by its UUID" in detail(ended, "version")


def test_no_index_where_the_list_does_not_reach_all_is_a_warning(make: MakeBench) -> None:
    least = key("monitor_connector", "monitor")
    with Sandbox(SandboxSettings(jobs=10_001, api_keys=(least,))) as running:
        ended = examined(running.url, make({}).output, ELASTICSEARCH_API_KEY=least.encoded)

    assert (ended.code, states(ended)["index"]) == (0, "warning")
    assert "10,000 jobs or more" in detail(ended, "list")


def test_points_in_time_that_the_doctor_opens_are_closed(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    of(bench)

    assert bench.sandbox.requests_by_route["POST /{index}/_pit"] == 1
    assert bench.sandbox.open_points_in_time == 0


def test_a_cluster_that_never_had_a_sync_job(make: MakeBench) -> None:
    assert_wrong(of(make({}, has_index=False)), "privilege", "has no index of connector sync jobs")


def test_a_cluster_without_jobs_is_asked_about(make: MakeBench) -> None:
    ended = of(make({}))

    assert (ended.code, states(ended)["list"]) == (0, "warning")
    assert "is this the right cluster?" in detail(ended, "list")


def test_a_job_from_the_future_tells_of_a_writer_whose_clock_runs_ahead(make: MakeBench) -> None:
    bench = make({"a": job(id="a", created_at=(datetime.now(UTC) + timedelta(hours=5)).isoformat())})

    ended = of(bench)
    patient = of(bench, "--overlap", "6h")

    assert (ended.code, states(ended)["list"]) == (0, "warning")
    assert "job a was created 5.0 h in the future" in detail(ended, "list")
    assert states(patient)["list"] == "ok"


def refusal(action: str) -> dict[str, Any]:
    cause = {"type": "security_exception", "reason": f"action [{action}] is unauthorized for API key id [i]"}
    return {"error": {"root_cause": [cause], **cause}, "status": 403}


MISSING = reply(404, {"error": {"root_cause": [], "type": "resource_not_found_exception", "reason": "etl-doctor"}})


ONE = {"count": 1, "results": [{"id": "a", "created_at": "2026-10-01T00:00:00Z"}]}


LIST = "/_connector/_sync_job?from=0&size=1"


def scripted(server: ScriptedServer, page: Any = None) -> ScriptedServer:
    """Let a server give one job by its id and in its list, and know of nothing else."""
    root(server)
    server.on("/_connector/_sync_job/etl-doctor", MISSING)
    server.on("/_connector/_sync_job/a", reply(200, {"id": "a"}))
    server.on(LIST, page or reply(200, ONE))
    server.fallback = reply(403, refusal("indices:data/read/search"))
    return server


def test_a_list_that_is_refused_is_wrong_and_the_index_is_looked_at_all_the_same(
    serve: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    server = scripted(serve(), reply(403, refusal("cluster:admin/xpack/connector/sync_job/list")))

    ended = examined(server.url, tmp_path)

    assert_wrong(ended, "list", "needs the cluster privilege monitor_connector", "`etl run --all`")
    assert states(ended)["index"] == "ok"


def test_connectors_that_cannot_be_listed_are_a_warning(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    ended = examined(scripted(serve()).url, tmp_path)

    assert (ended.code, states(ended)["list"]) == (0, "warning")
    assert "connectors cannot be listed" in detail(ended, "list")


def test_a_job_that_is_listed_and_cannot_be_read_is_wrong(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    server = scripted(serve())
    for target in ("/_connector?from=0&size=1000&filter_path=count%2Cresults.id&include_deleted=true",):
        server.on(target, reply(200, {"count": 0, "results": []}))
    server.on("/_connector/_sync_job/a", reply(200, b"<html>", {"Content-Type": "text/html"}))

    assert_wrong(examined(server.url, tmp_path), "list", "job a cannot be read: 200:")


def test_an_index_that_answers_in_part_is_a_warning(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    server = scripted(serve())
    error = {"type": "no_shard_available_action_exception", "reason": None}
    server.on("/.elastic-connectors-sync-jobs/_mget", reply(200, {"docs": [{"_id": "a", "error": error}]}))

    ended = examined(server.url, tmp_path)

    assert (states(ended)["index"], states(ended)["privilege"]) == ("warning", "ok")
    assert "no_shard_available_action_exception" in detail(ended, "index")
