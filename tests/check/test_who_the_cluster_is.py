"""By what a dataset knows its cluster, and what is said where that cannot be read or is not the cluster at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import Ended, etl
from documents import job
from examinations import assert_wrong, detail, examined, states
from servers import reply

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benches import Bench, MakeBench
    from servers import ScriptedServer, Step

FORBIDDEN = reply(403, {"error": {"type": "security_exception", "reason": "no"}, "status": 403})
HANDLER = {"error": "no handler found for uri [/path/] and method [GET]"}


def run_against(bench: Bench, url: str, *arguments: str) -> Ended:
    return bench.run("--url", url, "--max-attempts", "2", *arguments)


@pytest.fixture(name="bench")
def _bench(make: MakeBench) -> Bench:
    bench = make({"a": job(id="a")})
    assert bench.run().code == 0
    return bench


@pytest.mark.parametrize(
    ("step", "code", "said"),
    [
        (FORBIDDEN, 77, "grant the cluster privilege monitor"),
        (reply(200, b"<html>", {"Content-Type": "text/html"}), 69, "is no Elasticsearch 8.12 or later"),
        (reply(404, b"<html>"), 69, "does not tell it: check ELASTICSEARCH_URL and its path"),
    ],
    ids=["forbidden", "a page", "nothing there"],
)
def test_a_cluster_that_does_not_name_itself_is_not_taken_for_another_one(
    bench: Bench, serve: Callable[..., ScriptedServer], step: Step, code: int, said: str
) -> None:
    server = serve()
    server.fallback = step

    for arguments in ([], ["--dry-run"]):
        ended = run_against(bench, server.url, *arguments)
        assert ended.code == code
        assert said in ended.err
        assert "holds sync jobs of" not in ended.err
    seen = examined(server.url, bench.output)
    assert "holds sync jobs of" not in seen.out


def test_the_doctor_says_that_the_dataset_knows_its_cluster_by_what_may_not_be_read(
    bench: Bench, serve: Callable[..., ScriptedServer]
) -> None:
    server = serve()
    server.fallback = FORBIDDEN

    ended = examined(server.url, bench.output)

    assert states(ended)["dataset"] == "wrong"
    assert "knows its cluster by the UUID" in detail(ended, "dataset")


def test_a_dataset_begun_by_a_hosts_name_is_another_hosts(
    make: MakeBench, serve: Callable[..., ScriptedServer]
) -> None:
    bench, server = make({"a": job(id="a")}), serve()
    server.on("/", FORBIDDEN)
    server.on_job("a", reply(200, job(id="a")))
    assert run_against(bench, server.url).code == 0
    other = serve()
    other.on("/", FORBIDDEN)

    ended = run_against(bench, other.url)

    assert (ended.code, run_against(bench, server.url).code) == (2, 0)
    assert "holds sync jobs of 127.0.0.1:" in ended.err


@pytest.mark.parametrize("body", [b"<html>hello</html>", b'{"ok":true}'], ids=["a page", "JSON"])
def test_what_says_yes_to_everything_is_no_elasticsearch(
    make: MakeBench, serve: Callable[..., ScriptedServer], body: bytes
) -> None:
    bench, server = make({"a": job(id="a")}), serve()
    server.fallback = reply(200, body)

    ended = run_against(bench, server.url)

    assert ended.code == 69
    assert "is no Elasticsearch 8.12 or later: check ELASTICSEARCH_URL and its path" in ended.err
    assert server.asked("a") == 0


def test_a_wrong_path_is_told_as_such_and_no_key_is_called_accepted(
    serve: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    server = serve()
    server.fallback = reply(400, HANDLER)

    ended = examined(f"{server.url}/path", tmp_path)

    assert_wrong(ended, "answer", "knows no /path; remove that path from ELASTICSEARCH_URL")
    assert states(ended)["credentials"] == "skipped"


def test_refused_credentials_are_looked_for_where_they_were_given(
    serve: Callable[..., ScriptedServer], tmp_path: Path
) -> None:
    server = serve()
    server.fallback = reply(401, {"error": {"type": "security_exception", "reason": "no"}, "status": 401})
    (tmp_path / "jobs.txt").write_text("a\n")
    (tmp_path / "key").write_text("YTpi")
    (tmp_path / "word").write_text("p")
    key, word = str(tmp_path / "key"), str(tmp_path / "word")
    given = [
        (["--api-key-file", key], {}, f"check --api-key-file ({key}) ("),
        ([], {"ES_API_KEY": "YTpi"}, "check ES_API_KEY ("),
        (["--username", "u"], {"ELASTICSEARCH_PASSWORD_FILE": word},
         f"--username and ELASTICSEARCH_PASSWORD_FILE ({word})"),
        ([], {"ELASTICSEARCH_URL": server.url.replace("://", "://u:p@")}, "check user and password in the URL ("),
        ([], {}, "check ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD ("),
    ]  # fmt: skip
    for arguments, env, said in given:
        whole = {"ELASTICSEARCH_URL": server.url, "ETL_OUTPUT": str(tmp_path / "out"), **env}
        ended = etl("run", str(tmp_path / "jobs.txt"), *arguments, env=whole)
        assert ended.code == 77
        assert said in ended.err
