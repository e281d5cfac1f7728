"""Whatever a server sends, a run ends in order, in bounded memory, with every id accounted for and no secret told."""

from __future__ import annotations

import gzip
import json
import ssl
import tracemalloc
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pandas as pd
import pytest
import trustme
from commands import etl
from documents import compact, job
from servers import ScriptedServer, drip, raw, reply

import etl.cli.run as run_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from commands import Ended
    from servers import Exchange, Step

ROOT = {"cluster_uuid": "hostile", "version": {"number": "9.1.0", "build_flavor": "default"}}
API_KEY = "aWQ6UGxhbnRlZC1rZXktMQ=="
SPELLINGS = (API_KEY, "Planted-key-1")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
LIMIT = 1024 * 1024  # instead of 64 MiB, so that the tests are quick


@dataclass(kw_only=True)
class Site:
    """A hostile server, an output folder, and `etl run` between them."""

    folder: Path
    server: ScriptedServer
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *ids: str, arguments: tuple[str, ...] = ("--max-attempts", "2")) -> Ended:
        (self.folder / "jobs.txt").write_text("\n".join(ids) + "\n")
        env = {
            "ELASTICSEARCH_URL": self.server.url,
            "ELASTICSEARCH_API_KEY": API_KEY,
            "ETL_OUTPUT": str(self.folder / "output"),
            **self.env,
        }
        ended = etl("run", str(self.folder / "jobs.txt"), "--json", *arguments, env=env)
        for spelling in SPELLINGS:
            assert spelling not in ended.out + ended.err
            for path in self.files():
                assert spelling.encode() not in path.read_bytes()
        return ended

    def files(self) -> list[Path]:
        return [path for path in (self.folder / "output").rglob("*") if path.is_file()]

    def rows(self, ended: Ended) -> dict[str, dict[str, Any]]:
        """outcomes.parquet by id."""
        outcomes = pd.read_parquet(self.folder / "output" / "runs" / ended.summary["run_id"] / "outcomes.parquet")
        assert len(outcomes) == ended.summary["requested"] == sum(ended.summary["outcomes"].values())
        return {row["id"]: {str(name): value for name, value in row.items()} for row in outcomes.to_dict("records")}

    def failed(self, ended: Ended) -> str:
        return (self.folder / "output" / "runs" / str(ended.summary["run_id"]) / "failed.txt").read_text()

    def published(self) -> list[str]:
        return sorted(pd.read_parquet(self.folder / "output" / "latest" / "sync_jobs")["job_id"])


@pytest.fixture(name="serve")
def _serve(serve: Callable[..., ScriptedServer]) -> Callable[..., ScriptedServer]:
    def start(context: ssl.SSLContext | None = None) -> ScriptedServer:
        server = serve(context)
        server.on("/", reply(200, ROOT))
        server.fallback = echo
        return server

    return start


@pytest.fixture(name="transport")
def _transport() -> str:
    """What carries requests; tests of the wire itself name each."""
    return "auto"


@pytest.fixture(name="site")
def _site(
    tmp_path: Path, serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch, transport: str
) -> Site:
    monkeypatch.setattr("etl.extract.retry.BASE_S", 0.0)
    limits = run_command.limits
    monkeypatch.setattr(run_command, "limits", lambda given: {**limits(given), "max_response_bytes": LIMIT})
    return Site(folder=tmp_path, server=serve(), env={"ETL_TRANSPORT": transport})


by_each_transport = pytest.mark.parametrize("transport", ["requests", "curl"])


def echo(exchange: Exchange) -> bool:
    """Answer with the job that was asked for."""
    return reply(200, job(id=unquote(exchange.seen.target.rpartition("/")[2])))(exchange)


def document(job_id: str) -> bytes:
    return compact(job(id=job_id))


@by_each_transport
@pytest.mark.parametrize(
    ("step", "said"),
    [
        (reply(200, b" " * (LIMIT + 1)), f"the answer is larger than {LIMIT} bytes"),
        (raw(HEAD + b"Content-Length: 1000000000000000\r\n\r\nx"), "the answer was cut off"),
        (drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"8000\r\n" + b" " * 0x8000 + b"\r\n"), "is larger than"),
        (drip(HEAD + b"\r\n", b" " * 0x8000), "the answer is larger than"),
        (drip(b"HTTP/1.1 404 Not Found\r\n\r\n", b" " * 0x8000), "the answer is larger than"),
        (drip(HEAD, b"X-More: 1\r\n"), "no answer"),
        (drip(HEAD + b"X-Long: ", b"x" * 0x8000), "no answer"),
        (drip(b"", b"x" * 0x8000), "no answer"),
        (reply(200, b"no gzip", {"Content-Encoding": "gzip"}), "the answer was cut off"),
        (reply(200, document("bad"), {"Content-Encoding": "gzip, gzip"}), "packed in a way that was not asked for"),
        (reply(204, b""), "204: no error of Elasticsearch in the answer"),
        (raw(b"HTTP/1.1 204 No Content\r\n\r\n"), "204: no error of Elasticsearch in the answer"),
        (raw(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n"), "206: no error of Elasticsearch"),
        (raw(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 99\r\n\r\n"), "the answer was cut off"),
        (reply(206, document("bad")), "206: no error of Elasticsearch in the answer"),
        (raw(b"HTTP/3 200 OK\r\n\r\n{}"), "no answer"),
        (raw(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), "999: no error of Elasticsearch"),
        (raw(b"HTTP/1.1 2000000000 Odd\r\nContent-Length: 0\r\n\r\n"), "no answer"),
        (reply(429, b"", {"Retry-After": "3600"}), "its Retry-After of 3600 s is over the cap of 60 s"),
        (reply(503, b"", {"Retry-After": "9" * 400}), "its Retry-After of inf s is over the cap of 60 s"),
    ],
    ids=[
        "too large",
        "a length beyond all measure",
        "chunks without end",
        "a body without end",
        "an error without end",
        "headers without end",
        "one header without end",
        "a status line without end",
        "no gzip",
        "gzip in gzip",
        "204 that says its length",
        "204",
        "206 without a body",
        "206 cut off",
        "206 with a document",
        "HTTP/3",
        "an odd status",
        "a status beyond all measure",
        "a Retry-After of an hour",
        "a Retry-After without end",
    ],
)
def test_an_answer_that_cannot_be_used_fails_its_id_only(site: Site, step: Step, said: str) -> None:
    site.server.on_job("bad", step)

    ended = site.run("good", "bad", "fine")

    rows = site.rows(ended)
    assert ended.code == 3
    assert {job_id: row["outcome"] for job_id, row in rows.items()} == {
        "good": "loaded",
        "bad": "failed",
        "fine": "loaded",
    }
    assert said in rows["bad"]["reason"]
    assert site.failed(ended) == f"bad # {rows['bad']['reason']}\n"
    assert site.published() == ["fine", "good"]


@pytest.mark.parametrize("body", [b"", b"null", b'"bad"', b"[]", b"{}", b"<html>login</html>", b"[" * 100_000, b"\xff"])
def test_a_200_that_is_no_sync_job_rejects_its_id_only(site: Site, body: bytes) -> None:
    site.server.on_job("bad", reply(200, body))

    ended = site.run("good", "bad")

    assert (ended.code, site.rows(ended)["bad"]["outcome"], site.rows(ended)["bad"]["attempts"]) == (3, "rejected", 2)
    assert site.published() == ["good"]


@by_each_transport
def test_a_gzip_bomb_is_unpacked_only_up_to_the_limit(site: Site) -> None:
    bomb = gzip.compress(bytes(256 * LIMIT), compresslevel=1)
    site.server.on_job("bad", reply(200, bomb, {"Content-Encoding": "gzip"}))
    site.run("good")  # what is loaded once is not the bomb's

    tracemalloc.start()
    try:
        ended = site.run("bad", "fine")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert "is larger than" in site.rows(ended)["bad"]["reason"]
    assert peak < 128 * LIMIT
    assert site.published() == ["fine", "good"]


@pytest.mark.parametrize("kind", ["text/html; charset=latin-1", "application/octet-stream", "", "\x01;;"])
def test_the_document_counts_whatever_its_content_type(site: Site, kind: str) -> None:
    site.server.on_job("a", reply(200, job(id="a"), {"Content-Type": kind}))

    assert site.run("a").code == 0
    assert site.published() == ["a"]


@by_each_transport
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Domain=.com\r\nX: \xff\r\n\r\n",
    ],
    ids=["HTTP/1.0", "HTTP/1.0 that stays", "100 first", "odd headers"],
)
def test_old_and_odd_ways_to_answer_are_understood(site: Site, answer: bytes) -> None:
    for name in ("a", "b", "c"):
        site.server.on_job(name, raw(answer + document(name)))

    ended = site.run("a", "b", "c", arguments=("--concurrency", "1"))

    assert ended.code == 0
    assert site.published() == ["a", "b", "c"]
    assert all("cookie" not in seen.headers for seen in site.server.seen)


@by_each_transport
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_credentials_follow_no_redirect_to_another_host(
    site: Site, serve: Callable[..., ScriptedServer], status: int
) -> None:
    elsewhere = serve()
    site.server.on_job("a", reply(status, b"", {"Location": f"{elsewhere.url}/_connector/_sync_job/a?token=x9x9"}))

    ended = site.run("a", "b", "c", arguments=("--concurrency", "1"))

    assert elsewhere.seen == []
    assert ended.code == 69
    assert f"redirects ({status}) to {elsewhere.url}/_connector/_sync_job/a: give the final address" in ended.err
    assert "x9x9" not in ended.err
    assert ended.summary["outcomes"]["failed"] == 3
    assert site.server.asked("b") == 0


@by_each_transport
def test_a_redirect_from_https_to_plain_http_is_refused(site: Site, serve: Callable[..., ScriptedServer]) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(site.folder / "ca.pem"))
    secure, plain = serve(context), site.server
    secure.on_job("a", reply(302, b"", {"Location": f"{plain.url}/_connector/_sync_job/a"}))
    site.env |= {"ELASTICSEARCH_URL": secure.url, "ELASTICSEARCH_CA_CERTS": str(site.folder / "ca.pem")}

    ended = site.run("a")

    assert plain.seen == []
    assert ended.code == 69
    assert secure.seen[-1].headers["authorization"] == f"ApiKey {API_KEY}"


def test_a_redirect_at_the_very_start_is_refused(site: Site, serve: Callable[..., ScriptedServer]) -> None:
    elsewhere = serve()
    site.server.on("/", reply(302, b"", {"Location": f"{elsewhere.url}/login"}))

    ended = site.run("a")

    assert (ended.code, elsewhere.seen) == (69, [])
    assert f"redirects (302) to {elsewhere.url}/login" in ended.err


@pytest.mark.parametrize(
    "job_id",
    [
        "--x",
        "-rf",
        "../../etc/passwd",
        "/etc/passwd",
        "a/../b",
        "a/./b",
        "...",
        "%00",
        "%2e%2e",
        "%252e",
        "a\\..\\b",
        "C:evil",
        "a?refresh=true",
        "a;b",
        "a@evil.example",
        "//evil.example/a",
        "http://evil.example/a",
        "=cmd()",
        "{}",
        "*",
        "_all",
        "a,b",
        "${HOME}",
        "`id`",
        "é\u202e",
        "name.parquet",
        "latest",
    ],
)
def test_an_id_is_one_segment_of_the_path_and_names_no_file(site: Site, job_id: str) -> None:
    ended = site.run(job_id)

    assert ended.code == 0, ended.err
    assert site.published() == [job_id]
    (target,) = [seen.target for seen in site.server.seen if seen.target != "/"]
    prefix, _, segment = target.rpartition("/")
    assert prefix == "/_connector/_sync_job"
    assert unquote(segment) == job_id
    assert not {"/", "?", "#", ";", "\\"} & set(segment)
    for path in site.folder.rglob("*"):
        assert path.name != job_id or path == site.folder / "output" / "latest"
        assert not {"passwd", "evil", "refresh", "cmd"} & set(path.name.replace(".", " ").split())
    assert {path.name for path in site.folder.iterdir()} == {"jobs.txt", "output"}


STEERING = (
    "\x1b[2J\x1b]0;owned\x07\r\n2026-11-24T00:00:00Z ERROR forged\x00\x9b31m\u202egnp.exe\u2028"
    "<script>alert(1)</script>"
)


def unseen(text: str) -> set[str]:
    """What steers a terminal, forges a line or turns text around."""
    return {character for character in text if not character.isprintable() and character != "\n"}


@by_each_transport
@pytest.mark.parametrize(
    "step",
    [
        reply(500, {"error": {"type": STEERING, "reason": STEERING, "root_cause": [{"reason": STEERING}]}}),
        reply(503, {"error": STEERING}),
        reply(502, {"message": STEERING}),
        raw(b"HTTP/1.1 500 \x1b[2J\r\nContent-Type: \x1b[2J\x07\r\nContent-Length: 1\r\n\r\nx"),
        raw(b"HTTP/1.1 \x1b[2J\r\n\r\n"),
        raw(STEERING.encode()),
        reply(200, {"id": STEERING}),
        reply(429, {"error": {"type": "t", "reason": STEERING}}, {"Retry-After": "\x1b[2J"}),
    ],
    ids=["envelope", "text", "message", "headers", "status", "no HTTP", "another's id", "Retry-After"],
)
def test_what_steers_a_terminal_comes_through_only_escaped(site: Site, step: Step) -> None:
    site.server.on_job("bad", step)

    ended = site.run("good", "bad", arguments=("--max-attempts", "1", "-v"))

    assert ended.code == 3
    assert unseen(ended.err) == set()
    assert unseen(site.failed(ended)) == set()
    assert site.failed(ended).count("\n") == 1
    assert unseen(site.rows(ended)["bad"]["reason"]) == set()
    assert not any(line.startswith("2026-11-24T00:00:00Z") for line in ended.err.splitlines())


@pytest.mark.parametrize("status", [401, 403, 404, 302])
def test_what_steers_a_terminal_ends_no_run_unescaped(site: Site, status: int) -> None:
    envelope = {"error": {"type": STEERING, "reason": STEERING}}
    site.server.fallback = reply(status, envelope, {"Location": "https://x.example/\x1b[2J\x9b"})

    ended = site.run("a", "b")

    assert ended.code in {69, 77}
    assert unseen(ended.err) == set()
    assert unseen(str(json.loads(ended.out)["problem"])) == set()


def test_what_a_document_says_reaches_no_terminal(site: Site) -> None:
    site.server.on_job("a", reply(200, job(id="a", error=STEERING, worker_hostname=STEERING)))

    ended = site.run("a", arguments=("-v",))

    assert ended.code == 0
    assert unseen(ended.err + ended.out) == set()
