"""What the cluster says of itself."""

from __future__ import annotations

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
    "body",
    [b"", b"<html>", b"[]", {}, {"version": "9", "cluster_uuid": 7}, {"cluster_uuid": "_na_"}, {"version": {}}],
)
def test_what_the_root_does_not_say_is_unknown(look: Callable[..., ClusterFacts], body: Any) -> None:
    assert look(reply(200, body)) == ClusterFacts()


def test_a_root_that_may_not_be_read_leaves_all_unknown(look: Callable[..., ClusterFacts]) -> None:
    assert look(reply(403, {"error": {"type": "security_exception", "reason": "no monitor"}})) == ClusterFacts()


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
