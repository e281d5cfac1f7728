"""What the cluster says of itself."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from servers import reply, reset

from etl.errors import EtlError, RefusedError, UnreachableError
from etl.extract.cluster import ClusterFacts, cluster_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import ScriptedServer, Step

    from etl.extract.client import Client
    from etl.extract.retry import RetryPolicy

ROOT = {"cluster_uuid": "uuid-1", "version": {"number": "9.1.2", "build_flavor": "default"}, "tagline": "Search"}


@pytest.fixture
def look(server: ScriptedServer, connect: Callable[..., Client], quick: RetryPolicy) -> Callable[..., ClusterFacts]:
    def look_at(*steps: Step) -> ClusterFacts:
        server.on("/", *steps)
        return cluster_facts(connect(server.url), stop=threading.Event(), policy=quick)

    return look_at


def test_the_root_names_cluster_and_version(look: Callable[..., ClusterFacts]) -> None:
    assert look(reply(200, ROOT)) == ClusterFacts(uuid="uuid-1", version="9.1.2", build_flavor="default")


@pytest.mark.parametrize(
    "body", [{"version": {}, "cluster_uuid": 7}, {"version": {}, "cluster_uuid": "_na_"}, {"version": {}}]
)
def test_what_the_root_does_not_say_is_unknown(look: Callable[..., ClusterFacts], body: Any) -> None:
    facts = look(reply(200, body))
    assert facts == ClusterFacts()
    assert "has not joined its cluster yet" in str(facts.hidden)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", {}, {"ok": True}, {"version": "9", "cluster_uuid": "x"}])
def test_what_answers_as_no_elasticsearch_does_ends_the_run_after_all_attempts(
    look: Callable[..., ClusterFacts], server: ScriptedServer, body: Any
) -> None:
    with pytest.raises(UnreachableError, match=r"no Elasticsearch 8\.12 or later: check ELASTICSEARCH_URL"):
        look(reply(200, body))
    assert server.counts["/"] == 3


def test_opensearch_is_called_by_its_name(look: Callable[..., ClusterFacts]) -> None:
    with pytest.raises(UnreachableError, match=r"is OpenSearch 2\.11\.0: .* need Elasticsearch 8\.12"):
        look(reply(200, {"cluster_uuid": "u", "version": {"distribution": "opensearch", "number": "2.11.0"}}))


def test_a_root_that_may_not_be_read_leaves_all_unknown_and_names_the_privilege(
    look: Callable[..., ClusterFacts],
) -> None:
    facts = look(reply(403, {"error": {"type": "security_exception", "reason": "no monitor"}}))
    assert facts == ClusterFacts()
    assert isinstance(facts.hidden, RefusedError)
    assert "the cluster privilege monitor" in str(facts.hidden)


def test_a_path_that_elasticsearch_does_not_know_is_not_called_an_old_version(
    server: ScriptedServer, connect: Callable[..., Client], quick: RetryPolicy
) -> None:
    server.on("/path/", reply(400, {"error": "no handler found for uri [/path/] and method [GET]"}))
    with pytest.raises(UnreachableError, match="knows no /path; remove that path from ELASTICSEARCH_URL") as told:
        cluster_facts(connect(f"{server.url}/path"), stop=threading.Event(), policy=quick)
    assert "too old" not in str(told.value)


def test_where_nothing_answers_the_remedy_is_that_of_the_doctor(
    connect: Callable[..., Client], quick: RetryPolicy, server: ScriptedServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    asked = {
        f"http://127.0.0.1:{port}": "is this its port",
        server.url.replace("http:", "https:"): "let ELASTICSEARCH_URL begin with http://",
        server.url: "is it Elasticsearch that listens there?",
    }
    server.fallback = reset
    for url, remedy in asked.items():
        with pytest.raises(UnreachableError) as told:
            cluster_facts(connect(url, connect_timeout_s=5.0), stop=threading.Event(), policy=quick)
        assert remedy in str(told.value)


def test_what_passes_is_asked_again(look: Callable[..., ClusterFacts], server: ScriptedServer) -> None:
    assert look(reset, reply(503, b""), reply(200, ROOT)).uuid == "uuid-1"
    assert server.counts["/"] == 3


def test_a_page_of_something_in_between_hides_no_identity(
    look: Callable[..., ClusterFacts], server: ScriptedServer
) -> None:
    assert look(reply(200, b"<html>"), reply(200, b""), reply(200, ROOT)).uuid == "uuid-1"
    assert server.counts["/"] == 3


@pytest.mark.parametrize("number", ["7.17.9", "8.11.4", "8.4.0"])
def test_a_version_without_the_api_is_named(look: Callable[..., ClusterFacts], number: str) -> None:
    with pytest.raises(UnreachableError, match=rf"Elasticsearch {number}.*8\.12"):
        look(reply(200, {"version": {"number": number, "build_flavor": "default"}}))


def test_the_version_that_serverless_gives_means_nothing(look: Callable[..., ClusterFacts]) -> None:
    body = {"cluster_uuid": "u", "version": {"number": "8.11.0", "build_flavor": "serverless"}}
    assert look(reply(200, body)).build_flavor == "serverless"


@pytest.mark.parametrize(
    ("step", "error", "said"),
    [
        (reply(401, b""), RefusedError, "without credentials"),
        (reply(302, b"", {"Location": "https://kibana.example/login"}), UnreachableError, r"kibana\.example/login"),
        (reply(503, {"error": {"type": "master_not_discovered_exception"}}), UnreachableError, "master_not_discov"),
        (reset, UnreachableError, "no answer"),
    ],
    ids=["401", "redirect", "503 for ever", "no answer"],
)
def test_a_cluster_that_cannot_be_asked_ends_the_run(
    look: Callable[..., ClusterFacts], step: Step, error: type[EtlError], said: str
) -> None:
    with pytest.raises(error, match=said):
        look(step)


def test_a_stop_ends_the_waits(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.on("/", reply(503, b"", {"Retry-After": "60"}))
    stop = threading.Event()
    stop.set()
    with pytest.raises(UnreachableError, match="not ready: 503"):
        cluster_facts(connect(server.url), stop=stop)
    assert server.counts["/"] == 1
