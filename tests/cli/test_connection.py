"""How the cluster is reached: every way to name it and to prove who asks, over real sockets."""

from __future__ import annotations

import base64
import json
import socket
import socketserver
import ssl
import threading
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from commands import etl
from documents import job

from etl.sandbox.settings import FULL_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benches import Bench, MakeBench


def run(bench: Bench, *arguments: str, **env: str) -> Any:
    jobs = bench.folder / "jobs.txt"
    jobs.write_text("a\n")
    return etl("run", str(jobs), "--json", "--output", str(bench.output), *arguments, env=env)


KEY_FORMS = {
    "encoded": FULL_KEY.encoded,
    "id:key": f"{FULL_KEY.id}:{FULL_KEY.secret}",
    "JSON with the encoded form": json.dumps(
        {"id": FULL_KEY.id, "name": "n", "api_key": FULL_KEY.secret, "encoded": FULL_KEY.encoded}
    ),
    "JSON without it": json.dumps({"id": FULL_KEY.id, "api_key": FULL_KEY.secret}),
}


@pytest.mark.parametrize("form", KEY_FORMS)
@pytest.mark.parametrize("name", ["ELASTICSEARCH_API_KEY", "ES_API_KEY", "ES_LOCAL_API_KEY"])
def test_an_api_key_in_each_of_its_forms_under_each_of_its_names(make: MakeBench, form: str, name: str) -> None:
    bench = make({"a": job(id="a")})

    ended = run(bench, ELASTICSEARCH_URL=bench.sandbox.url, **{name: KEY_FORMS[form]})

    assert ended.code == 0


def test_an_api_key_from_a_mounted_file(make: MakeBench, tmp_path: Path) -> None:
    bench = make({"a": job(id="a")})
    (tmp_path / "key").write_text(FULL_KEY.encoded + "\n")

    by_flag = run(bench, "--api-key-file", str(tmp_path / "key"), ELASTICSEARCH_URL=bench.sandbox.url)
    by_name = run(bench, ELASTICSEARCH_URL=bench.sandbox.url, ELASTICSEARCH_API_KEY_FILE=str(tmp_path / "key"))

    assert (by_flag.code, by_name.code) == (0, 0)


def test_user_and_password_from_environment_file_or_url(make: MakeBench, tmp_path: Path) -> None:
    bench = make({"a": job(id="a")}, users={"ana": "pass wörd/1"}, api_keys=())
    (tmp_path / "password").write_text("pass wörd/1\n")
    url = bench.sandbox.url

    ends = [
        run(bench, ELASTICSEARCH_URL=url, ELASTICSEARCH_USERNAME="ana", ELASTICSEARCH_PASSWORD="pass wörd/1"),
        run(bench, "--username", "ana", "--password-file", str(tmp_path / "password"), "--url", url),
        run(bench, ELASTICSEARCH_URL=url.replace("://", "://ana:pass%20w%C3%B6rd%2F1@")),
    ]

    assert [ended.code for ended in ends] == [0, 0, 0]
    manifests = [path.read_text() for path in bench.output.rglob("_manifest.json")]
    assert not any("w%C3%B6rd" in text or "wörd" in text for text in manifests)


@pytest.mark.parametrize("name", ["ELASTICSEARCH_URL", "ETL_URL", "ES_URL", "ELASTICSEARCH_HOST", "ES_LOCAL_URL"])
def test_the_address_under_each_of_its_names(make: MakeBench, name: str) -> None:
    bench = make({"a": job(id="a")})

    assert run(bench, ELASTICSEARCH_API_KEY=FULL_KEY.encoded, **{name: bench.sandbox.url + "/"}).code == 0


def test_two_names_that_agree_are_fine_and_a_flag_wins_over_both(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    key = {"ELASTICSEARCH_API_KEY": FULL_KEY.encoded}

    agree = run(bench, ELASTICSEARCH_URL=bench.sandbox.url, ES_URL=bench.sandbox.url + "/", **key)
    overruled = run(bench, "--url", bench.sandbox.url, ELASTICSEARCH_URL="http://127.0.0.1:9", **key)

    assert (agree.code, overruled.code) == (0, 0)


@pytest.mark.parametrize(
    ("env", "said"),
    [
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ES_URL": "http://127.0.0.1:2"},
            "ELASTICSEARCH_URL and ES_URL are both set and differ (http://127.0.0.1:1, http://127.0.0.1:2): unset",
        ),
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY": "YQ==", "ES_API_KEY": "Yg=="},
            "ELASTICSEARCH_API_KEY and ES_API_KEY are both set and differ: unset all but one",
        ),
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY": "YQ==",
             "ELASTICSEARCH_API_KEY_FILE": "<file>"},
            "ELASTICSEARCH_API_KEY and ELASTICSEARCH_API_KEY_FILE are both set and differ",
        ),
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY": "YQ==",
             "ELASTICSEARCH_USERNAME": "u", "ELASTICSEARCH_PASSWORD": "p"},
            "both an API key (ELASTICSEARCH_API_KEY) and a user (ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD)",
        ),
        (
            {"ES_URL": "http://u:p@127.0.0.1:1", "ES_API_KEY": "YQ=="},
            "both an API key (ES_API_KEY) and a user (user and password in the URL) are given; remove one of them",
        ),
        ({"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_USERNAME": "u"}, "set ELASTICSEARCH_PASSWORD"),
        ({"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_PASSWORD": "p"}, "set ELASTICSEARCH_USERNAME"),
        ({"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY": "no key!"}, "is malformed: give the"),
        ({"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY": "{}"}, "is malformed: give the"),
        ({"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY": "{"}, "is malformed: give the"),
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY_FILE": "/no/such/file"},
            "ELASTICSEARCH_API_KEY_FILE: cannot read /no/such/file: No such file or directory; let it hold the API key",
        ),
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY_FILE": "<empty>"},
            "is empty; let it hold the API key, and this account read it",
        ),
        (
            {"ELASTICSEARCH_URL": "http://127.0.0.1:1", "ELASTICSEARCH_API_KEY_FILE": "/dev/zero"},
            "/dev/zero holds more than 64 KiB; let it hold the API key",
        ),
        ({"ELASTICSEARCH_CLOUD_ID": "name:!!"}, "ELASTICSEARCH_CLOUD_ID is malformed"),
        (
            {"ELASTICSEARCH_CLOUD_ID": "x:" + base64.b64encode(b"h$es$k").decode(), "ES_URL": "https://other"},
            "name different clusters: unset one",
        ),
        ({"ELASTICSEARCH_URL": "https://h/?pretty"}, "has a query or a fragment"),
        ({"ELASTICSEARCH_URL": "https://h:port"}, "is malformed"),
        ({"ELASTICSEARCH_URL": "ftp://h"}, "is no http(s) URL"),
        ({"ELASTICSEARCH_URL": "https://h", "ELASTICSEARCH_CA_CERTS": "/no/such.pem"}, "there is no /no/such.pem"),
        (
            {"ELASTICSEARCH_URL": "http://es.example.org:9200", "ELASTICSEARCH_API_KEY": "YQ=="},
            "credentials would travel unencrypted to es.example.org: use https, or allow it with --insecure-http",
        ),
    ],
)  # fmt: skip
def test_settings_that_contradict_or_are_malformed_are_told_without_their_secrets(
    tmp_path: Path, env: dict[str, str], said: str
) -> None:
    (tmp_path / "jobs.txt").write_text("a\n")
    (tmp_path / "file").write_text("Y2M=")
    (tmp_path / "empty").write_text("\n")
    env = {name: str(tmp_path / value.strip("<>")) if value.startswith("<") else value for name, value in env.items()}

    ended = etl("run", str(tmp_path / "jobs.txt"), env=env)

    assert ended.code == 2
    assert said in ended.err
    assert "[redacted]" not in ended.err
    assert not any(value in ended.err for name, value in env.items() if "KEY" in name and "FILE" not in name)


def test_credentials_over_plain_http_are_allowed_where_it_is_said(
    monkeypatch: pytest.MonkeyPatch, make: MakeBench
) -> None:
    bench = make({"a": job(id="a")})
    to_loopback(monkeypatch, "es.example.org")
    port = bench.sandbox.url.rpartition(":")[2]

    url = f"http://es.example.org:{port}"

    ended = run(bench, "--insecure-http", "--url", url, ELASTICSEARCH_API_KEY=FULL_KEY.encoded, **BY_PYTHON)

    assert ended.code == 0


BY_PYTHON = {"ETL_TRANSPORT": "requests"}  # libcurl asks a resolver of its own, which nothing here leads elsewhere


def to_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """Let a name lead to this machine."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda name, *more, **named: resolve("127.0.0.1" if name == host else name, *more, **named),
    )


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    return trustme.CA()


def tls_for(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_a_certificate_is_trusted_by_its_authority_file_alone(
    make: MakeBench, authority: trustme.CA, tmp_path: Path
) -> None:
    bench = make({"a": job(id="a")}, tls=tls_for(authority, "127.0.0.1"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded}

    trusted = run(bench, **env, ELASTICSEARCH_CA_CERTS=str(tmp_path / "ca.pem"))
    by_bundle = run(bench, **env, REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"))
    untrusted = run(bench, **env)

    assert (trusted.code, by_bundle.code, untrusted.code) == (0, 0, 69)
    assert "ELASTICSEARCH_CA_CERTS" in untrusted.err


def test_a_cloud_id_names_host_and_port(
    make: MakeBench, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make({"a": job(id="a")}, tls=tls_for(authority, "abc123.eu.example.org"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    to_loopback(monkeypatch, "abc123.eu.example.org")
    port = bench.sandbox.url.rpartition(":")[2]
    cloud_id = "my-cluster:" + base64.b64encode(f"eu.example.org:{port}$abc123$kib".encode()).decode()

    ended = run(
        bench,
        ELASTICSEARCH_CLOUD_ID=cloud_id,
        ELASTICSEARCH_API_KEY=FULL_KEY.encoded,
        ELASTICSEARCH_CA_CERTS=str(tmp_path / "ca.pem"),
        **BY_PYTHON,
    )

    assert ended.code == 0


class _Relay(socketserver.StreamRequestHandler):
    """One request of an HTTP proxy: the absolute address becomes a path, the answer goes back as it comes."""

    def handle(self) -> None:
        first = self.rfile.readline().decode()
        method, address, version = first.split(" ")
        self.server.seen.append(address)  # type: ignore[attr-defined]  # set by the test
        host, _, path = address.partition("://")[2].partition("/")
        name, _, port = host.partition(":")
        with socket.create_connection((name, int(port))) as upstream:
            head = f"{method} /{path} {version}"
            while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                if not line.lower().startswith((b"connection:", b"proxy-connection:")):
                    head += line.decode("latin-1")
            upstream.sendall(f"{head}Connection: close\r\n\r\n".encode("latin-1"))
            while piece := upstream.recv(65536):
                self.wfile.write(piece)


@pytest.fixture(name="proxy")
def _proxy() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Relay) as server:
        server.daemon_threads = True
        server.seen = []  # type: ignore[attr-defined]  # what was asked for
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_proxy_of_the_environment_is_used_and_its_exceptions_hold(
    make: MakeBench, proxy: socketserver.ThreadingTCPServer
) -> None:
    bench = make({"a": job(id="a")})
    env = {
        "ELASTICSEARCH_URL": bench.sandbox.url,
        "ELASTICSEARCH_API_KEY": FULL_KEY.encoded,
        "HTTP_PROXY": f"http://127.0.0.1:{proxy.server_address[1]}",
    }

    through = run(bench, **env)
    seen = list(proxy.seen)  # type: ignore[attr-defined]  # set by the fixture
    past = run(bench, "--refresh", **env, NO_PROXY="127.0.0.1")

    assert (through.code, past.code) == (0, 0)
    assert seen == [f"{bench.sandbox.url}/", f"{bench.sandbox.url}/_connector/_sync_job/a"]
    assert proxy.seen == seen  # type: ignore[attr-defined]  # nothing more


def test_netrc_does_not_replace_the_given_credentials(make: MakeBench, tmp_path: Path) -> None:
    bench = make({"a": job(id="a")})
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login intruder password wrong\n")
    (tmp_path / ".netrc").chmod(0o600)

    ended = run(bench, ELASTICSEARCH_URL=bench.sandbox.url, ELASTICSEARCH_API_KEY=FULL_KEY.encoded, HOME=str(tmp_path))

    assert ended.code == 0
