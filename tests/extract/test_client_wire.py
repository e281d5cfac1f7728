"""The client over real sockets: what it sends, and what it makes of every way an answer can end."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import socket
import ssl
import time
import tracemalloc
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

import pytest
import requests
import requests_mock
import trustme
import urllib3
from servers import drip, raw, reply, reset, silence

from etl.errors import UnreachableError, UsageError
from etl.extract.address import Door
from etl.extract.client import Client
from etl.extract.deadline import _EXPIRES_AT, _TimedReads, answers_by
from etl.extract.wire import NoAnswerError, TooLargeError, translated
from etl.settings import Connection, Secret, Transport
from tests.extract.conftest import job

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers import ScriptedServer, Step

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "job_id",
    [
        "plain",
        "a/b",
        "a b",
        "a#1",
        "a?x=1&y",
        "%2e%2e",
        "%41",
        "...",
        "../..",
        "ü€",
        "a+b",
        "a;b",
        "a\\b",
        "\u2028",
        "~",
    ],
)
def test_an_id_is_one_segment_of_the_path_and_arrives_as_it_is(
    server: ScriptedServer, connect: Callable[..., Client], job_id: str
) -> None:
    server.fallback = reply(200, job(job_id))
    connect(server.url + "/behind/a").get_job(job_id)
    (seen,) = server.seen
    prefix, _, segment = seen.target.rpartition("/")
    assert prefix == "/behind/a/_connector/_sync_job"
    assert unquote(segment) == job_id


def test_a_request_says_what_it_accepts_and_who_asks(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.fallback = reply(200, job("a"))
    connect(server.url).get_job("a")
    headers = server.seen[0].headers
    assert headers["accept"] == "application/json"
    assert headers["accept-encoding"] == "gzip"
    assert headers["user-agent"].startswith("sync-jobs-etl/")
    assert "authorization" not in headers


def test_a_request_may_carry_parameters_and_a_body(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.fallback = reply(200, {})
    connect(server.url).request("POST", "/_search", params={"size": 2, "q": "a b"}, body=b'{"x":1}')
    connect(server.url).get_job("a")
    first, second = server.seen
    assert (first.method, first.target, first.body) == ("POST", "/_search?size=2&q=a+b", b'{"x":1}')
    assert first.headers["content-type"] == "application/json"
    assert (second.method, second.body) == ("GET", b"")
    assert "content-type" not in second.headers


def test_one_connection_serves_all_requests_of_a_thread(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    packed = gzip.compress(json.dumps(job("a")).encode())
    server.on_job("a", reply(200, job("a")), reply(404, {}), reply(200, packed, {"Content-Encoding": "gzip"}))
    client = connect(server.url)
    answers = [client.get_job("a") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 404, 200, 200]
    assert json.loads(answers[-1].body) == job("a")
    assert {seen.connection for seen in server.seen} == {0}


def test_an_api_key_is_sent_in_its_encoded_form(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    connect(server.url, api_key=Secret("aWQ6a2V5")).get_job("a")
    assert server.seen[0].headers["authorization"] == "ApiKey aWQ6a2V5"


def test_user_name_and_password_are_sent_as_utf8(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    connect(server.url, username="jörg", password=Secret("pä:ss€")).get_job("a")
    assert server.seen[0].headers["authorization"] == "Basic asO2cmc6cMOkOnNz4oKs"


@pytest.mark.parametrize("settings", [{}, {"api_key": Secret("aWQ6a2V5")}])
def test_netrc_replaces_no_credentials(
    server: ScriptedServer,
    connect: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: dict[str, Secret],
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password wrong\ndefault login other password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    connect(server.url, **settings).get_job("a")
    assert server.seen[0].headers.get("authorization") == ("ApiKey aWQ6a2V5" if settings else None)


def test_proxies_of_the_environment_are_left_to_the_settings(
    server: ScriptedServer, connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    server.fallback = reply(200, job("a"))
    assert connect(server.url).get_job("a").status == 200


def test_a_proxy_gets_the_whole_address_and_its_own_credentials(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    server.fallback = reply(200, job("a/b"))
    proxy = server.url.replace("http://", "http://me:pr%40xy@")
    client = connect("http://cluster.invalid:9200/p", proxies={"http": proxy}, api_key=Secret("aWQ6a2V5"))
    assert client.get_job("a/b").status == 200
    (seen,) = server.seen
    assert seen.target == "http://cluster.invalid:9200/p/_connector/_sync_job/a%2Fb"
    assert seen.headers["proxy-authorization"] == "Basic bWU6cHJAeHk="
    assert seen.headers["authorization"] == "ApiKey aWQ6a2V5"


def test_a_proxy_that_cannot_be_used_is_a_matter_of_settings(connect: Callable[..., Client]) -> None:
    for proxy in ("http://", "http://me:pw@", "http://[bad", ""):
        with pytest.raises(UsageError, match=r"proxy for http .*HTTP_PROXY"):
            connect("http://cluster.invalid:9200", proxies={"http": proxy})
    odd = {"https": "gopher://127.0.0.1:1"}
    client = connect("https://cluster.invalid:9200", proxies=odd, transport=Transport.AUTO)
    with pytest.raises(UsageError, match=r"the proxy for cluster\.invalid:9200 cannot be used"):
        client.get_job("a")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_does_not_answer_is_told_from_a_cluster_that_does_not(
    connect: Callable[..., Client], free_port: int, scheme: str
) -> None:
    client = connect(f"{scheme}://cluster.invalid:9200", proxies={scheme: f"http://127.0.0.1:{free_port}"})
    with pytest.raises(NoAnswerError, match=r"no answer through the proxy \(Connection refused\)"):
        client.get_job("a")


def test_a_proxy_that_opens_no_tunnel_is_named(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.fallback = reply(407, b"")
    client = connect("https://cluster.invalid:9200", proxies={"https": server.url})
    with pytest.raises(NoAnswerError, match="no answer through the proxy"):
        client.get_job("a")
    assert server.seen[0].method == "CONNECT"


def test_a_name_that_is_not_known_is_said_so() -> None:
    # Asked of no resolver, which may lie beyond this machine.
    door = Door(host="es", port=9200, is_secure=False, proxy=None)
    wrapped = requests.ConnectionError(urllib3.exceptions.ProtocolError("x", socket.gaierror(8, "unknown")))
    assert str(translated(wrapped, door=door, status=None)) == "es:9200: no answer (the name is not known)"


def test_a_redirect_is_not_followed(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.fallback = reply(302, b"", {"Location": f"{server.url}/elsewhere"})
    assert connect(server.url).get_job("a").status == 302
    assert len(server.seen) == 1


@pytest.mark.parametrize("location", ["/elsewhere", "http://[bad", "https://"])
def test_the_body_of_a_redirect_is_bounded_too(
    server: ScriptedServer, connect: Callable[..., Client], location: str
) -> None:
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nConnection: close\r\n\r\n".encode()
    server.fallback = drip(head, b" " * 5000)
    with pytest.raises(TooLargeError):
        connect(server.url, max_response_bytes=20_000).get_job("a")


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (reset, None),
        (raw(b""), None),
        (raw(b"HTTP/1.1 20"), None),
        (raw(b"SSH-2.0-OpenSSH_9.9\r\n"), None),
        (raw(HEAD + b"Content-Length: 100\r\n\r\n" + b'{"id": "a"}'), 200),
        (raw(HEAD + b"Content-Length: 100\r\n\r\n"), 200),
        (raw(CHUNKED + b'5\r\n{"id"'), 200),
        (raw(CHUNKED + b'5\r\n{"id"\r\n'), 200),
        (raw(CHUNKED + b"zz\r\n"), 200),
        (reply(200, b"no gzip at all", {"Content-Encoding": "gzip"}), 200),
    ],
    ids=[
        "reset",
        "closed",
        "half a status line",
        "no HTTP",
        "short body",
        "no body",
        "cut chunk",
        "missing chunks",
        "bad chunk",
        "bad gzip",
    ],
)
def test_an_answer_that_does_not_come_whole_is_no_answer(
    server: ScriptedServer, connect: Callable[..., Client], step: Step, status: int | None
) -> None:
    server.on_job("a", step, reply(200, job("a")))
    client = connect(server.url)
    with pytest.raises(NoAnswerError) as caught:
        client.get_job("a")
    assert caught.value.status == status
    assert "127.0.0.1" in str(caught.value)
    assert client.get_job("a").status == 200  # the next request is not harmed


def test_where_nobody_listens_the_system_says_why(connect: Callable[..., Client], free_port: int) -> None:
    with pytest.raises(NoAnswerError, match=r"no answer \(Connection refused\)"):
        connect(f"http://127.0.0.1:{free_port}").get_job("a")


def test_silence_ends_with_the_read_timeout(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.fallback = silence
    with pytest.raises(NoAnswerError, match="in time"):
        connect(server.url, read_timeout_s=0.05).get_job("a")


@pytest.mark.parametrize(
    "step",
    [
        drip(b"HTTP/1.1 200 O", b"K"),
        drip(b"HTTP/1.1 200 OK\r\nX-Padding: ", b"x"),
        drip(HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
        drip(CHUNKED, b"1\r\n \r\n"),
        drip(CHUNKED + b"ffff\r\n", b" "),
        drip(HEAD + b"Connection: close\r\n\r\n", b" "),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        silence,
    ],
    ids=["status line", "head", "body", "chunks", "one chunk", "body without length", "no answer but 100", "silence"],
)
def test_an_answer_that_trickles_ends_at_the_deadline_although_no_read_times_out(
    server: ScriptedServer, connect: Callable[..., Client], step: Step
) -> None:
    server.on_job("a", step, reply(200, job("a")))
    client = connect(server.url)
    with pytest.raises(NoAnswerError, match="in time"):
        client.get_job("a", expires_at=time.monotonic() + 0.1)
    assert client.get_job("a").status == 200  # the deadline was that request's


def test_a_read_of_the_socket_waits_no_longer_than_what_is_left() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.settimeout(60)
        reader = io.BufferedReader(_TimedReads(here.makefile("rb", buffering=0), here, time.monotonic() + 0.05))
        there.sendall(b"ab")
        assert reader.read(2) == b"ab"
        assert (here.gettimeout() or 60) <= 0.05
        with pytest.raises(TimeoutError):
            reader.read(1)
        reader.close()


def test_after_the_deadline_nothing_is_read_although_there_is_something() -> None:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(b"ab")
        reads = _TimedReads(here.makefile("rb", buffering=0), here, time.monotonic() - 1)
        with reads, pytest.raises(TimeoutError, match="deadline"):
            reads.readinto(bytearray(1))


def test_a_deadline_holds_in_its_block_only() -> None:
    with answers_by(5.0):
        with answers_by(1.0):
            assert _EXPIRES_AT.get() == 1.0
        assert _EXPIRES_AT.get() == 5.0
    assert _EXPIRES_AT.get() is None


def test_timeouts_are_those_of_the_connection_and_end_with_the_deadline(
    connect: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"connect_timeout_s": 1.5, "read_timeout_s": 2.5, "transport": Transport.REQUESTS}
    client = connect("http://es.invalid", **settings)
    mock = requests_mock.Adapter()
    mock.register_uri("GET", "http://es.invalid/_connector/_sync_job/a", json=job("a"))
    wire = client._wire()
    adapter = SimpleNamespace(send=lambda *given, **more: mock.send(*given, **more).raw, close=lambda: None)
    monkeypatch.setattr(wire, "_adapter", adapter)

    assert json.loads(client.get_job("a").body) == job("a")
    client.get_job("a", expires_at=time.monotonic() + 2)
    first, second = ((*cast("tuple[float, float]", request.timeout),) for request in mock.request_history)
    assert first == (1.5, 2.5)
    assert second[0] == 1.5
    assert 0 < second[1] <= 2


def test_after_the_deadline_nothing_is_sent(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    with pytest.raises(NoAnswerError, match="deadline"):
        connect(server.url).get_job("a", expires_at=time.monotonic() - 1)
    assert server.seen == []


def test_an_answer_larger_than_the_limit_is_not_read_to_its_end(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    server.on_job("a", drip(HEAD + b"Connection: close\r\n\r\n", b" " * 5000), reply(200, job("a")))
    client = connect(server.url, max_response_bytes=20_000)
    with pytest.raises(TooLargeError, match="larger than 20000 bytes") as caught:
        client.get_job("a")
    assert caught.value.status == 200
    assert client.get_job("a").status == 200


def test_an_answer_of_just_the_limit_is_read(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    server.fallback = reply(200, b" " * 200_000)
    assert len(connect(server.url, max_response_bytes=200_000).get_job("a").body) == 200_000


def test_a_compressed_answer_is_unpacked_only_up_to_the_limit(
    server: ScriptedServer, connect: Callable[..., Client]
) -> None:
    bomb = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=1)
    server.fallback = reply(200, bomb, {"Content-Encoding": "gzip"})
    client = connect(server.url, max_response_bytes=1024 * 1024)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError):
            client.get_job("a")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip, gzip", "deflate", "br", "zstd", "gzip,identity"])
def test_an_answer_packed_in_a_way_that_was_not_asked_for_is_not_unpacked(
    server: ScriptedServer, connect: Callable[..., Client], encoding: str
) -> None:
    packed = gzip.compress(gzip.compress(b"{}"))
    server.on_job("a", reply(200, packed, {"Content-Encoding": encoding}), reply(200, job("a")))
    client = connect(server.url)
    with pytest.raises(NoAnswerError, match="not asked for"):
        client.get_job("a")
    assert client.get_job("a").status == 200


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(serve: Callable[..., ScriptedServer], authority: trustme.CA) -> ScriptedServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return serve(context)


def test_a_certificate_signed_by_the_given_authority_is_trusted(
    secure: ScriptedServer, connect: Callable[..., Client], authority: trustme.CA, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    secure.on_job("a", reply(200, job("a")), drip(HEAD + b"Content-Length: 1000000\r\n\r\n", b" "))
    client = connect(secure.url, ca_certs=path)
    assert client.get_job("a").status == 200
    with pytest.raises(NoAnswerError, match="in time"):
        client.get_job("a", expires_at=time.monotonic() + 0.2)


def test_a_certificate_of_an_unknown_authority_ends_the_run_and_names_the_remedy(
    secure: ScriptedServer, connect: Callable[..., Client]
) -> None:
    with pytest.raises(UnreachableError, match=r"not trusted.*ELASTICSEARCH_CA_CERTS") as caught:
        connect(secure.url).get_job("a")
    assert not isinstance(caught.value, NoAnswerError)
    assert secure.seen == []


def test_tls_spoken_to_a_plain_port_is_named(server: ScriptedServer, connect: Callable[..., Client]) -> None:
    with pytest.raises(NoAnswerError, match=r"127\.0\.0\.1.*no answer"):
        connect(server.url.replace("http:", "https:")).get_job("a")


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named_before_any_request(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=r"ELASTICSEARCH_CA_CERTS.*ca\.pem"):
        Client(Connection(url="https://127.0.0.1", ca_certs=path))


@pytest.mark.parametrize("url", ["", "127.0.0.1:9200", "http://", "ftp//x"])
def test_an_address_that_is_none_is_a_matter_of_settings(url: str) -> None:
    with pytest.raises(UsageError, match="ELASTICSEARCH_URL"):
        Client(Connection(url=url))


def test_an_error_without_answer_crosses_a_process_border() -> None:
    error = pickle.loads(pickle.dumps(TooLargeError("h: too large", 200)))  # noqa: S301  # pickled here
    assert (type(error), str(error), error.status) == (TooLargeError, "h: too large", 200)
