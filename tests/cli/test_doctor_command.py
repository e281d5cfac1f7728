"""`etl doctor` at the command line: each thing that may be wrong has its own remedy, and nothing is changed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from commands import Ended, etl
from documents import job
from servers import ScriptedServer, Serving, reply, reset

from etl.cli.main import COMMANDS
from etl.load.lock import DatasetLock
from etl.load.storage import Storage
from etl.sandbox.access import ApiKey
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import FULL_KEY, POOR_KEY, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benches import Bench, MakeBench

SECRET = "s3cret-of-the-operator"
NOBODY = 65534


def examined(url: str, output: Path, *arguments: str, **env: str) -> Ended:
    return etl(
        "doctor", "--json", "--output", str(output), *arguments,
        env={"ELASTICSEARCH_URL": url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded, **env},
    )  # fmt: skip


def of(bench: Bench, *arguments: str, **env: str) -> Ended:
    return examined(bench.sandbox.url, bench.output, *arguments, **env)


def states(ended: Ended) -> dict[str, str]:
    return {check["check"]: check["state"] for check in ended.summary["checks"]}


def detail(ended: Ended, name: str) -> str:
    return next(str(check["detail"]) for check in ended.summary["checks"] if check["check"] == name)


def assert_wrong(ended: Ended, name: str, *said: str) -> None:
    """Hold that this alone is wrong, and what is said."""
    assert ended.code == 5
    assert [check for check, state in states(ended).items() if state == "wrong"] == [name]
    for text in said:
        assert text in detail(ended, name)
    assert "[redacted]" not in ended.out
    assert ended.err == ""


@pytest.fixture
def serve() -> Iterator[Callable[..., ScriptedServer]]:
    running: list[Serving] = []

    def start(context: ssl.SSLContext | None = None) -> ScriptedServer:
        running.append(Serving(context))
        return running[-1].server

    yield start
    for serving in running:
        serving.end()


def root(server: ScriptedServer, **headers: str) -> None:
    """Let a scripted server say who it is, and know no job."""
    facts = {"cluster_uuid": "uuid", "version": {"number": "9.1.0"}}
    server.on("/", reply(200, facts, headers))


def test_all_is_well(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()

    ended = of(bench)

    assert (ended.code, ended.err) == (0, "")
    assert set(states(ended).values()) == {"ok", "skipped"}
    assert ended.summary["sound"] is True
    assert sum(ended.summary["counts"].values()) == len(ended.summary["checks"])
    assert "may be read" in detail(ended, "index")
    assert "1 jobs, 1 connectors; job a was read" in detail(ended, "list")
    assert "[redacted]" not in ended.out


def test_lines_for_people_and_none_when_quiet(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded}
    output = ["--output", str(bench.output)]

    told = etl("doctor", *output, env=env).out.splitlines()
    quiet = etl("doctor", "-q", *output, env=env)
    ill = etl("doctor", "-q", *output, env=env | {"ELASTICSEARCH_API_KEY": POOR_KEY.encoded})

    assert "ok       connection   127.0.0.1:" in "\n".join(told)
    assert told[-1].startswith("14 checks: ")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert ill.code == 5
    assert [line.split()[:2] for line in ill.out.splitlines()] == [["wrong", "privilege"]]


def test_no_address_and_the_output_is_looked_at_all_the_same(tmp_path: Path) -> None:
    ended = examined("", tmp_path / "out")

    assert_wrong(ended, "address", "set ELASTICSEARCH_URL")
    assert states(ended)["output"] == "ok"
    assert detail(ended, "index") == "address is wrong: mend that first"


@pytest.mark.parametrize(
    ("url", "said"),
    [("localhost:9200", "no http(s) URL"), ("http://es.example.org:9200", "unencrypted to es.example.org"),
     ("https://127.0.0.1:1/?a=b", "query or a fragment")],
)  # fmt: skip
def test_an_address_that_a_run_would_refuse(tmp_path: Path, url: str, said: str) -> None:
    assert_wrong(examined(url, tmp_path), "address", said)


def test_certificates_that_cannot_be_read_and_two_kinds_of_credentials_are_matters_of_the_address(
    tmp_path: Path,
) -> None:
    (tmp_path / "ca.pem").write_text("none")
    unread = examined("https://127.0.0.1:1", tmp_path, ELASTICSEARCH_CA_CERTS=str(tmp_path / "ca.pem"))
    both = examined("https://127.0.0.1:1", tmp_path, ELASTICSEARCH_USERNAME="u", ELASTICSEARCH_PASSWORD=SECRET)

    assert_wrong(unread, "address", "no certificates can be read")
    assert_wrong(both, "address", "both an API key and a user are given")
    assert SECRET not in both.out


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


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode, path.lstat().st_mtime_ns, b"" if path.is_dir() else path.read_bytes(),
        )
        for path in folder.rglob("*")
    }  # fmt: skip


def test_nothing_is_changed_in_the_output_nor_is_one_made(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    absent = of(bench)
    assert not bench.output.exists()
    bench.run()
    before = tree(bench.output)

    present = of(bench)

    assert (absent.code, present.code) == (0, 0)
    assert "is not there yet" in detail(absent, "output")
    assert tree(bench.output) == before


def test_the_file_that_is_tried_is_private(make: MakeBench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make({"a": job(id="a")})
    bench.output.mkdir()
    seen: list[tuple[str, int]] = []
    close = os.close

    def watched(descriptor: int) -> None:
        seen.extend((path.name, path.stat().st_mode & 0o777) for path in bench.output.iterdir())
        close(descriptor)

    monkeypatch.setattr("etl.check.doctor_output.os.close", watched)
    before = os.umask(0)
    try:
        of(bench)
    finally:
        os.umask(before)

    assert [(name[:12], mode) for name, mode in seen if name.startswith(".etl-doctor-")][:1] == [
        (".etl-doctor-", 0o600)
    ]
    assert list(bench.output.iterdir()) == []


@contextmanager
def closed(part: str) -> Iterator[Path]:
    """Make an output folder of which a part may not be written, and work as an account to which permissions apply."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    (folder / part).mkdir(exist_ok=True)
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, -1)
        os.chown(folder / part, NOBODY, -1)
    (folder / part).chmod(0o555)
    if is_root:
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        (folder / part).chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("part", [".", "runs", "snapshots", "_staging"])
def test_an_output_that_cannot_be_written(make: MakeBench, part: str) -> None:
    bench = make({"a": job(id="a")})
    with closed(part) as folder:
        ended = examined(bench.sandbox.url, folder)

    assert_wrong(ended, "output", str(folder), "Permission denied", "give this account the right to write there")
    assert states(ended)["lock"] == "skipped"


def test_a_file_in_the_place_of_a_folder_of_the_output(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.output.mkdir()
    (bench.output / "runs").write_text("")

    assert_wrong(of(bench), "output", "runs: cannot create the file: Not a directory")


def test_another_run_that_holds_the_lock_and_its_name_stays_in_the_file(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    lock = DatasetLock.acquire(Storage(bench.output), run_id="20261124T000000Z-aaaaaa", now=datetime.now(UTC))
    held = (bench.output / "_lock").read_bytes()
    try:
        ended = of(bench)
    finally:
        lock.release()

    assert_wrong(ended, "lock", "run 20261124T000000Z-aaaaaa on host", "wait for it to end")
    assert (bench.output / "_lock").read_bytes() == held
    assert of(bench).code == 0


def test_a_dataset_of_another_cluster(make: MakeBench) -> None:
    make({"a": job(id="a")}, cluster_uuid="cluster-one").run()

    ended = of(make({"a": job(id="a")}, cluster_uuid="cluster-two"))

    assert_wrong(ended, "dataset", "holds sync jobs of cluster-one, not of cluster-two; choose another --output")


def test_the_demos_data_are_a_warning(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    etl("demo", "--output", str(bench.output))

    ended = of(bench)

    assert (ended.code, states(ended)["dataset"]) == (0, "warning")
    assert "the first real run replaces them" in detail(ended, "dataset")


def test_a_damaged_dataset(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()
    damaged = next((bench.output / "latest" / "sync_jobs").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    cut = of(bench)
    (bench.output / "latest").unlink()
    (bench.output / "latest").mkdir()
    no_link = of(bench)

    assert_wrong(cut, "dataset", damaged.name, "`etl verify` tells all of it")
    assert_wrong(no_link, "dataset", "not a link to a snapshot", "link it to the newest folder")
    assert states(no_link)["lock"] == "ok"


@pytest.mark.parametrize(("free", "state"), [(1 << 20, "wrong"), (100 << 20, "warning"), (1 << 40, "ok")])
def test_space(make: MakeBench, monkeypatch: pytest.MonkeyPatch, free: int, state: str) -> None:
    bench = make({"a": job(id="a")})
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    ended = of(bench)

    assert states(ended)["space"] == state
    assert ended.code == (5 if state == "wrong" else 0)


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


def test_no_secret_is_in_any_form_of_the_diagnosis(make: MakeBench) -> None:
    bench = make({"a": job(id="a", error=f"password={SECRET}")})
    told = [of(bench).out, of(bench, ELASTICSEARCH_API_KEY=f"id:{SECRET}").out]
    told.append(etl("doctor", env={"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": f"i:{SECRET}",
                                   "ETL_OUTPUT": str(bench.output)}).out)  # fmt: skip

    assert not [text for text in told if SECRET in text or FULL_KEY.encoded in text or FULL_KEY.secret in text]
    assert json.loads(told[0])["sound"] is True


def test_the_command_is_listed() -> None:
    assert "doctor" in COMMANDS
