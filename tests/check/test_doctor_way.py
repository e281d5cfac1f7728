"""The doctor on the way to a cluster: each thing that may be wrong there has its own remedy."""

from __future__ import annotations

import socket
import ssl
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from documents import job
from examinations import SECRET, assert_wrong, detail, examined, root, states
from servers import ScriptedServer, reply, reset

from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def test_a_name_that_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)

    ended = examined("https://es.invalid:9200", tmp_path)

    assert_wrong(ended, "connection", "es.invalid:9200: no answer (the name is not known)", "check the spelling")


def test_a_closed_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    ended = examined(f"http://127.0.0.1:{port}", tmp_path)

    assert_wrong(ended, "connection", "Connection refused", "is this its port (Elasticsearch's own is 9200)?")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TimeoutError(), "is there a firewall in between"),
        (OSError(101, "Network is unreachable"), "check the network of this machine"),
    ],
)
def test_ways_that_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("etl.extract.door.socket.create_connection", fail)

    assert_wrong(examined("http://127.0.0.1:9200", tmp_path), "connection", said)


def test_something_else_that_listens(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    silent, page, moved = serve(), serve(), serve()
    silent.on("/", reset)
    page.on("/", reply(200, b"<html>Welcome</html>", {"Content-Type": "text/html"}))
    moved.on("/", reply(301, b"", {"Location": "https://es.example.org/x?token=abc"}))

    assert_wrong(examined(silent.url, tmp_path), "answer", "is it Elasticsearch that listens there?")
    assert_wrong(examined(page.url, tmp_path), "answer", "no Elasticsearch 8.12 or later", "and its path")
    ended = examined(moved.url, tmp_path)
    assert_wrong(ended, "answer", "redirects (301) to https://es.example.org/x: give the final address")
    assert "abc" not in ended.out


def test_a_cluster_that_is_not_up_yet(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    server = serve()
    server.on("/", reply(503, {"error": {"type": "master_not_discovered_exception", "reason": None}, "status": 503}))

    assert_wrong(examined(server.url, tmp_path), "answer", "is not ready: 503: master_not_discovered")


def test_a_cluster_that_is_up_at_the_second_look(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    server, flapping = serve(), serve()
    busy = reply(429, {"error": {"type": "circuit_breaking_exception", "reason": "full"}, "status": 429})
    well = reply(200, {"cluster_uuid": "uuid", "version": {"number": "9.1.0"}})
    server.on("/", busy, well)
    flapping.on("/", busy, well, busy, well)

    assert states(examined(server.url, tmp_path))["answer"] == "ok"
    ended = examined(flapping.url, tmp_path)
    assert states(ended)["answer"] == "warning"
    assert "is it overloaded?" in detail(ended, "answer")
    assert states(ended)["version"] == "ok"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secure(authority: trustme.CA, name: str = "127.0.0.1", until: datetime | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=until).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@contextmanager
def sandbox(context: ssl.SSLContext) -> Iterator[Sandbox]:
    with Sandbox(SandboxSettings(documents={"a": job(id="a")}, tls=context)) as running:
        yield running


def test_a_certificate_by_a_given_authority_is_trusted_and_one_that_ends_soon_is_a_warning(
    authority: trustme.CA, trusted: str, tmp_path: Path
) -> None:
    with sandbox(secure(authority, until=datetime.now(UTC) + timedelta(days=90))) as running:
        well = examined(running.url, tmp_path / "out", "--ca-certs", trusted)
    with sandbox(secure(authority, until=datetime.now(UTC) + timedelta(days=5))) as running:
        soon = examined(running.url, tmp_path / "out", "--ca-certs", trusted)

    assert (well.code, states(well)["certificate"], states(well)["index"]) == (0, "ok", "ok")
    assert (soon.code, states(soon)["certificate"]) == (0, "warning")
    assert "4 days from now: have it renewed" in detail(soon, "certificate")


def test_each_bad_certificate_has_its_own_remedy_and_no_credential_is_sent(
    authority: trustme.CA, trusted: str, serve: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    unknown = serve(secure(authority))
    other = serve(secure(authority, "es.example.org"))
    expired = serve(secure(authority, until=datetime.now(UTC) - timedelta(days=1)))

    assert_wrong(examined(unknown.url, tmp_path), "certificate", "not trusted", "as ELASTICSEARCH_CA_CERTS")
    ended = examined(other.url, tmp_path, "--ca-certs", trusted)
    assert_wrong(ended, "certificate", "not trusted", "let ELASTICSEARCH_URL name the cluster as its certificate does")
    ended = examined(expired.url, tmp_path, "--ca-certs", trusted)
    assert_wrong(ended, "certificate", "not trusted", "expired", "the cluster needs a new one")
    assert not [*unknown.seen, *other.seen, *expired.seen]


def test_tls_and_plain_http_taken_for_each_other(
    authority: trustme.CA, serve: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    plain, tls = serve(), serve(secure(authority))
    plain.fallback = reset

    https = examined(plain.url.replace("http:", "https:"), tmp_path, "--connect-timeout", "2s")
    http = examined(tls.url.replace("https:", "http:"), tmp_path)

    assert_wrong(https, "certificate", "let ELASTICSEARCH_URL begin with http://")
    assert_wrong(http, "answer", "TLS is spoken there: let ELASTICSEARCH_URL begin with https://")


def test_through_a_proxy_what_answers_is_judged_by_the_request(
    serve: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    proxy = serve()
    proxy.fallback = reply(407, {"message": "who are you?"})
    url = proxy.url.replace("://", f"://user:{SECRET}@")

    ended = examined("http://es.example.org:9200", tmp_path, "--insecure-http", HTTP_PROXY=url)

    assert_wrong(ended, "credentials", "refuses its credentials; check HTTP_PROXY")
    assert states(ended)["connection"] == "skipped"
    assert states(ended)["address"] == "warning"
    assert SECRET not in ended.out


@pytest.mark.parametrize(
    ("ahead", "state", "said"),
    [
        (timedelta(seconds=-10), "ok", "behind"),
        (timedelta(minutes=10), "warning", "10.0 min ahead of"),
        (timedelta(hours=2), "wrong", "2.0 h ahead of what answers: set the clocks by NTP; jobs settle"),
        (timedelta(hours=-3), "wrong", "3.0 h behind what answers: set the clocks by NTP; --since"),
    ],
)
def test_clocks_that_differ(
    serve: Callable[..., ScriptedServer], tmp_path: Path, ahead: timedelta, state: str, said: str
) -> None:
    server = serve()
    root(server, Date=format_datetime(datetime.now(UTC) - ahead - timedelta(seconds=1), usegmt=True))

    ended = examined(server.url, tmp_path)

    assert states(ended)["clock"] == state
    assert said in detail(ended, "clock")
    assert states(ended)["privilege"] == "wrong"  # it is looked at whatever the clock says


def test_what_counts_as_far_off_is_a_matter_of_settle(serve: Callable[..., ScriptedServer], tmp_path: Path) -> None:
    server = serve()
    root(server, Date=format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True))

    assert states(examined(server.url, tmp_path, "--settle", "3h"))["clock"] == "warning"
    assert states(examined(server.url, tmp_path, ETL_SETTLE="90m"))["clock"] == "wrong"
