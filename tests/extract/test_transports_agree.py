"""What goes wrong is told in the same words whichever transport meets it, and what differs stands here."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from servers import drip, raw, reply, reset, silence

from etl.errors import EtlError, UnreachableError, UsageError
from etl.extract.address import Door
from etl.extract.client import Client
from etl.extract.fetch import Fetcher
from etl.extract.transport import choice
from etl.extract.transport.by_curl import CurlWire
from etl.extract.transport.curl_errors import CurlFailure, exception_of
from etl.extract.wire import NoAnswerError, Response, translated
from etl.model import AnswerKind, RequestedId
from etl.settings import Connection, Secret, Transport
from tests.extract.conftest import job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers import Exchange, ScriptedServer, Step

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
DAY = dt.timedelta(days=1)


def said(transport: Transport, url: str, **settings: Any) -> tuple[object, ...]:
    """Return all that a caller can tell of what became of a request."""
    given = {"max_response_bytes": 50_000, **settings}
    with Client(Connection(url=url, transport=transport, **given)) as client:
        try:
            answer = client.get_job("a")
        except EtlError as error:
            return type(error), str(error), getattr(error, "status", None), getattr(error, "remedy", None)
    return answer.status, answer.body


def assert_same(url: str, **settings: Any) -> tuple[object, ...]:
    by_requests, by_curl = said(Transport.REQUESTS, url, **settings), said(Transport.CURL, url, **settings)
    assert by_curl == by_requests
    return by_curl


@pytest.mark.parametrize(
    "step",
    [
        reset,
        raw(b""),
        raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        raw(b"HTTP/1.1 2000000000 Odd\r\nContent-Length: 0\r\n\r\n"),
        raw(b"HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n"),
        raw(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
        raw(HEAD + b"Content-Length: 100\r\n\r\n{"),
        raw(HEAD + b"Content-Length: 100\r\n\r\n"),
        raw(CHUNKED + b'5\r\n{"id"'),
        raw(HEAD + b"Content-Length: 2\r\n\r\n{}and more"),
        raw(CHUNKED + b"2\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n"),
        raw(HEAD + b"X: 1\r\n" * 150 + b"Content-Length: 2\r\n\r\n{}"),
        raw(HEAD + b"X: " + b"1" * 70_000 + b"\r\nContent-Length: 2\r\n\r\n{}"),
        raw(HEAD + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"),
        raw(b"HTTP/1.1 304 Same\r\n\r\n"),
        reply(200, b" " * 60_000),
        reply(200, b"", {"Content-Encoding": "gzip"}),
        reply(200, gzip.compress(b"{") + gzip.compress(b"}"), {"Content-Encoding": "x-GZIP"}),
        reply(200, gzip.compress(b"{}") + b"garbage", {"Content-Encoding": "gzip"}),
        reply(200, b"{}", {"Content-Encoding": "identity"}),
        reply(200, b"x", {"Content-Encoding": "br"}),
        reply(204, b"", {"Content-Encoding": "br"}),
        drip(HEAD + b"Connection: close\r\n\r\n", b" " * 20_000),
    ],
)
def test_an_answer_ends_in_the_same_way(server: ScriptedServer, step: Step) -> None:
    server.fallback = step
    assert_same(server.url)


@pytest.mark.parametrize(
    "step",
    [
        raw(HEAD),
        raw(HEAD + b"Content-Length: x\r\n\r\n{}"),
        raw(HEAD + b"Content-Length: -1\r\n\r\n{}"),
        raw(HEAD + b"No colon\r\nContent-Length: 2\r\n\r\n{}"),
        raw(HEAD + b"X: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
        raw(HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
        reply(200, gzip.compress(b"{}")[:-4], {"Content-Encoding": "gzip"}),
    ],
    ids=["head without end", "length", "below zero", "no header", "a NUL", "packed chunks", "upgrade", "cut gzip"],
)
def test_libcurl_takes_what_is_no_http_for_no_answer_where_requests_shuts_an_eye(
    server: ScriptedServer, step: Step
) -> None:
    server.fallback = step
    assert said(Transport.CURL, server.url)[0] is NoAnswerError
    assert isinstance(said(Transport.REQUESTS, server.url)[0], int)


def test_silence_is_told_alike(server: ScriptedServer) -> None:
    server.fallback = silence
    assert "--read-timeout waits longer" in str(assert_same(server.url, read_timeout_s=0.05))


def test_where_no_connection_stands_the_words_are_the_same(free_port: int) -> None:
    for url in (f"http://127.0.0.1:{free_port}", f"https://127.0.0.1:{free_port}", f"http://localhost:{free_port}"):
        assert "Connection refused" in str(assert_same(url)[1])


def test_a_connection_that_does_not_stand_in_time_is_told_alike() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.settimeout(0)
            other.connect_ex(("127.0.0.1", port))
        assert "the connection did not stand in time" in str(
            assert_same(f"http://127.0.0.1:{port}", connect_timeout_s=0.1)[1]
        )
        for other in others:
            other.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_told_alike_and_its_password_is_not(
    server: ScriptedServer, free_port: int, scheme: str
) -> None:
    server.fallback = reply(407, b"")
    for port in (free_port, int(server.url.rpartition(":")[2])):
        proxies = {scheme: f"http://me:planted@127.0.0.1:{port}"}
        told = assert_same(f"{scheme}://cluster.invalid:9200", proxies=proxies)
        assert "planted" not in str(told)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def secured(serve: Callable[..., ScriptedServer], authority: trustme.CA) -> Callable[..., ScriptedServer]:
    def start(*names: str, **settings: Any) -> ScriptedServer:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names, **settings).configure_cert(context)
        server = serve(context)
        server.fallback = reply(200, job("a"))
        return server

    return start


def test_a_certificate_is_judged_alike(secured: Callable[..., ScriptedServer], pem: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    good, other = secured("127.0.0.1"), secured("other.example")
    old = secured("127.0.0.1", not_before=now - 9 * DAY, not_after=now - DAY)
    assert assert_same(good.url, ca_certs=pem)[0] == 200
    assert "ELASTICSEARCH_CA_CERTS" in str(assert_same(good.url)[1])
    assert "valid for '127.0.0.1'" in str(assert_same(other.url, ca_certs=pem)[1])
    assert "valid for 'localhost'" in str(assert_same(other.url.replace("127.0.0.1", "localhost"), ca_certs=pem)[1])
    assert "it has expired" in str(assert_same(old.url, ca_certs=pem)[1])
    assert assert_same(good.url.replace("https:", "http:"))[0] is NoAnswerError


def test_a_certificate_that_is_not_valid_yet_blames_the_clock(
    secured: Callable[..., ScriptedServer], pem: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    young = secured("127.0.0.1", not_before=now + DAY, not_after=now + 9 * DAY)
    for transport in (Transport.REQUESTS, Transport.CURL):
        kind, told, *_ = said(transport, young.url, ca_certs=pem)
        assert kind is UnreachableError
        assert str(told).endswith("it is not valid yet: is the clock of this machine right?")


def test_an_authority_in_a_folder_is_found_by_its_hash(secured: Callable[..., ScriptedServer], pem: Path) -> None:
    assert_same(secured("127.0.0.1").url, ca_certs=pem.parent)


def test_no_authority_of_the_system_is_trusted_beside_the_given_ones(
    secured: Callable[..., ScriptedServer], pem: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("SSL_CERT_DIR", str(pem.parent))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(pem))
    assert assert_same(secured("127.0.0.1").url)[0] is UnreachableError


def test_a_proxy_that_speaks_tls_must_be_trusted_too(secured: Callable[..., ScriptedServer], pem: Path) -> None:
    proxy = secured("127.0.0.1")
    proxies = {"http": proxy.url}
    assert assert_same("http://cluster.invalid", proxies=proxies, ca_certs=pem)[0] == 200
    assert assert_same("http://cluster.invalid", proxies=proxies)[0] is UnreachableError
    assert {seen.target for seen in proxy.seen} == {"http://cluster.invalid/_connector/_sync_job/a"}


def test_a_tunnel_is_opened_without_the_credentials_of_the_cluster(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    server.fallback = reply(502, b"")
    client = connect(
        "https://cluster.invalid:9200",
        proxies={"https": server.url.replace("//", "//me:pr%40xy@")},
        api_key=Secret("aWQ6a2V5"),
    )
    with pytest.raises(NoAnswerError, match="through the proxy"):
        client.get_job("a")
    assert (server.seen[0].method, server.seen[0].target) == ("CONNECT", "cluster.invalid:9200")
    assert server.seen[0].headers["proxy-authorization"] == "Basic bWU6cHJAeHk="
    assert "authorization" not in server.seen[0].headers


def test_a_proxy_of_the_settings_is_used_whatever_the_environment_excepts(
    server: ScriptedServer, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")
    server.fallback = reply(200, job("a"))
    assert connect("http://cluster.invalid:9200", proxies={"http": server.url}).get_job("a").status == 200


def test_a_large_body_is_sent_at_once_and_nothing_is_added(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    server.fallback = reply(200, {})
    body = b" " * 2_000_000
    connect(server.url).request("POST", "/_search", body=body)
    connect(server.url).request("DELETE", "/_pit", body=b"{}")
    first, second = server.seen
    assert (first.method, len(first.body), second.method, second.body) == ("POST", len(body), "DELETE", b"{}")
    wanted = {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"}
    assert set(first.headers) | set(second.headers) <= wanted | {"connection"}


def with_the_end(text: bytes) -> Step:
    """Send bytes, and the end of the connection in the same segment: who reads the one sees the other."""

    def step(exchange: Exchange) -> bool:
        exchange.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        exchange.sock.sendall(text)
        exchange.sock.shutdown(socket.SHUT_WR)
        return False

    return step


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="only Linux puts both into one segment")
def test_a_connection_that_the_server_has_closed_is_opened_anew(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    server.on_job("a", with_the_end(HEAD + b"Content-Length: 2\r\n\r\n{}"))
    client = connect(server.url)
    assert [client.get_job("a").status for _ in range(3)] == [200] * 3
    assert server.asked("a") == 3


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="only Linux puts both into one segment")
def test_a_server_that_closes_every_connection_unannounced_costs_no_attempt(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    def echo_and_close(exchange: Exchange) -> bool:
        body = json.dumps(job(exchange.seen.target.rpartition("/")[2])).encode()
        return with_the_end(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))(exchange)

    server.fallback = echo_and_close
    with Fetcher(connect(server.url, concurrency=4)) as fetcher:
        answers = list(fetcher.fetch([RequestedId(id=str(number)) for number in range(40)], stop=threading.Event()))
    assert {(answer.kind, answer.attempts) for answer in answers} == {(AnswerKind.DOCUMENT, 1)}
    assert len(server.seen) == 40


@pytest.mark.parametrize("end", [reset, raw(b"")], ids=["reset", "closed"])
def test_a_request_is_not_repeated_where_a_connection_that_was_kept_open_dies(
    server: ScriptedServer, connect: Callable[..., Client], end: Step
) -> None:
    server.on_job("a", reply(200, job("a")), end, reply(200, job("a")))
    client = connect(server.url)
    assert client.get_job("a").status == 200
    with pytest.raises(NoAnswerError, match="no answer"):
        client.get_job("a")
    assert server.asked("a") == 2
    assert client.get_job("a").status == 200


def test_an_error_of_libcurl_without_a_word_is_told_by_its_number() -> None:
    door = Door(host="es", port=9200, is_secure=False, proxy=None)
    error = translated(exception_of(CurlFailure(code=43, said="secret"), door), door=door, status=None)
    assert str(error) == "es:9200: no answer (error 43 of libcurl)"


@pytest.fixture
def without_pycurl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_MISSING", "pycurl is not installed")
    monkeypatch.setattr("etl.settings.extras.find_spec", lambda _: None)


@pytest.mark.usefixtures("without_pycurl")
def test_without_pycurl_requests_carries_and_says_why() -> None:
    chosen = choice.choose(Connection(url="http://es"))
    assert chosen.transport is Transport.REQUESTS
    assert str(chosen).startswith("requests 2")
    assert str(chosen).endswith("(pycurl is not installed)")
    with pytest.raises(UsageError, match=r"--transport curl needs pycurl: install with .*\[fast\]"):
        choice.choose(Connection(url="http://es", transport=Transport.CURL))


def test_a_pycurl_that_cannot_do_it_all_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("pycurl.version_info", lambda: (11, "8.1.0", 0, "Linux", 0, "GnuTLS/3.7"))
        assert choice.choose(Connection(url="http://es")).why == "pycurl is not built with OpenSSL"
    monkeypatch.delattr("pycurl.PREREQFUNCTION")
    assert choice.choose(Connection(url="http://es")).why == "pycurl is older than 7.45.7"


@pytest.mark.parametrize(
    ("connection", "why"),
    [
        ({"url": "http://es", "proxies": {"http": "socks5://127.0.0.1:1"}}, "the proxy is neither http nor https"),
        ({"url": "http://bücher.example"}, "the address is not written in ASCII"),
    ],
)
def test_a_way_that_libcurl_does_not_take_is_taken_by_requests(connection: dict[str, Any], why: str) -> None:
    assert choice.choose(Connection(**connection)).why == why
    with pytest.raises(UsageError, match=f"--transport curl cannot be used, for {why}"):
        choice.choose(Connection(**connection, transport=Transport.CURL))


def test_libcurl_is_taken_where_it_is_installed_unless_requests_is_asked_for() -> None:
    assert str(choice.choose(Connection(url="http://es"))).startswith("libcurl ")
    assert choice.choose(Connection(url="http://es", transport=Transport.REQUESTS)).why is None


def test_one_thread_has_many_requests_under_way(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    client = connect(server.url, transport=Transport.CURL)
    wire = client.many()
    assert isinstance(wire, CurlWire)
    server.fallback = silence
    server.on_job("b", reply(200, job("b")))
    for name in ("a", "b", "c"):
        wire.begin(client.job_request(name), name)
    ends: list[Any] = []
    while not ends:
        ends = wire.ended(5.0)
    ((key, end),) = ends
    assert isinstance(end, Response)
    assert (key, end.status, wire.under_way) == ("b", 200, 2)
    assert sorted(wire.abandon()) == ["a", "c"]
    wire.close()
