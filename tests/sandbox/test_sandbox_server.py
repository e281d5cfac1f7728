"""The sandbox over real sockets: routes, keep-alive, credentials, jobs that change, and where it may listen."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
import trustme

from etl import jsontext
from etl.errors import UsageError
from etl.sandbox.access import ApiKey
from etl.sandbox.faults import Faults
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import MISSING_FROM, id_of
from etl.sandbox.outline import outline_of
from etl.sandbox.server import Sandbox, serve
from etl.sandbox.settings import JOBS, POOR_KEY, SEED, SandboxSettings

if TYPE_CHECKING:
    from pathlib import Path

JOB_ROUTE = "GET /_connector/_sync_job/{id}"


def first_with(status: str) -> str:
    return next(id_of(number) for number in range(JOBS) if outline_of(SEED, number).status == status)


def exchange(sandbox: Sandbox, *sent: bytes) -> bytes:
    """Send bytes as they are, and read until the sandbox closes the connection."""
    address = ("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]))
    with socket.create_connection(address, timeout=30) as one, one.makefile("rb") as answers:
        for piece in sent:
            one.sendall(piece)
        return answers.read()


def test_the_root_tells_name_version_and_cluster(launch: Any, client: Any) -> None:
    sandbox = launch(cluster_uuid="uuid-of-this-one", version="9.0.4")
    answer = client.get(sandbox, "/")
    assert answer.status_code == 200
    assert answer.headers["X-elastic-product"] == "Elasticsearch"
    assert answer.headers["content-type"] == "application/json"
    root = answer.json()
    assert root["cluster_uuid"] == "uuid-of-this-one"
    assert root["version"]["number"] == "9.0.4"
    assert root["version"]["build_flavor"] == "default"
    assert root["tagline"] == "You Know, for Search"
    assert {"name", "cluster_name"} <= root.keys()


def test_a_job_comes_as_compact_json_with_its_id_first(launch: Any, client: Any) -> None:
    sandbox = launch()
    answer = client.job(sandbox, id_of(3))
    assert answer.status_code == 200
    assert answer.headers["X-elastic-product"] == "Elasticsearch"
    assert answer.content == jsontext.dump(generate_job(SEED, 3)).encode()
    assert answer.content.startswith(b'{"id":"' + id_of(3).encode())


def test_the_connection_is_kept_and_used_again(launch: Any, client: Any) -> None:
    sandbox = launch()
    ports = set()
    for number in range(50):
        answer = client.session.get(
            f"{sandbox.url}/_connector/_sync_job/{id_of(number)}",
            headers={"Authorization": f"ApiKey {sandbox.api_key}"},
            stream=True,
            timeout=30,
        )
        ports.add(answer.raw.connection.sock.getsockname())
        assert answer.json()["id"] == id_of(number)
    assert len(ports) == 1


def request(sandbox: Sandbox, first_line: str, *, close: bool = False) -> bytes:
    ending = "Connection: close\r\n" if close else ""
    return f"{first_line}\r\nAuthorization: ApiKey {sandbox.api_key}\r\n{ending}\r\n".encode()


def test_a_client_that_asks_to_close_is_told_so_and_closed(launch: Any) -> None:
    sandbox = launch()
    assert b"connection: close\r\n" in exchange(sandbox, request(sandbox, "GET / HTTP/1.1", close=True))


def test_a_client_of_http_1_0_is_closed_without_asking(launch: Any) -> None:
    sandbox = launch()
    assert exchange(sandbox, request(sandbox, "GET / HTTP/1.0")).startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_in_one_write_are_answered_in_their_order_also_behind_a_slow_one(launch: Any) -> None:
    sandbox = launch(faults=Faults(slow=1.0, max_in_row=1, delay_s=0.01), documents={"a": b"<a>", "b": b"<b>"})
    lines = [f"GET /_connector/_sync_job/{job_id} HTTP/1.1" for job_id in "aba"]
    sent = b"".join([*(request(sandbox, line) for line in lines), request(sandbox, "GET / HTTP/1.1", close=True)])
    assert re.findall(b"<.>|You Know", exchange(sandbox, sent)) == [b"<a>", b"<b>", b"<a>", b"You Know"]


def test_a_request_in_pieces_is_answered_once_it_is_whole(launch: Any) -> None:
    sandbox = launch()
    whole = request(sandbox, "GET / HTTP/1.1", close=True)
    assert exchange(sandbox, whole[:8], whole[8:40], whole[40:-1], whole[-1:]).startswith(b"HTTP/1.1 200 OK")


def test_head_has_the_headers_of_get_and_no_body(launch: Any) -> None:
    sandbox = launch()
    head, _, body = exchange(sandbox, request(sandbox, "HEAD / HTTP/1.1", close=True)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert re.search(rb"content-length: [1-9]", head)
    assert body == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET no-slash HTTP/1.1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /" + b"a" * 65_532, 431),
    ],
)
def test_what_is_no_request_is_refused_and_ends_the_connection(launch: Any, sent: bytes, status: int) -> None:
    assert exchange(launch(), sent).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize("job_id", ["a/b", "a b", "ü#1", "100%", "a?b=c", "+", "007", "..%2e"])
def test_an_id_that_is_percent_encoded_whole_is_found(launch: Any, client: Any, job_id: str) -> None:
    sandbox = launch(documents={job_id: {"status": "completed"}})
    assert client.job(sandbox, quote(job_id, safe="")).json() == {"id": job_id, "status": "completed"}
    assert sandbox.requests_by_id == {job_id: 1}


def test_basic_authentication_is_let_in(launch: Any, client: Any) -> None:
    sandbox = launch(users={"reader": "pä:ss"})
    answer = client.session.get(sandbox.url, auth=("reader", "pä:ss".encode()), timeout=30)
    assert answer.status_code == 200


def test_a_sandbox_without_keys_and_users_lets_everybody_in(launch: Any, client: Any) -> None:
    sandbox = launch(api_keys=(), users={})
    assert sandbox.api_key == ""
    assert client.session.get(f"{sandbox.url}/_connector/_sync_job/{id_of(0)}", timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("version", "privilege", "status"),
    [
        ("9.1.0", "monitor_connector", 200),
        ("9.1.0", "read", 403),
        ("8.15.0", "read", 200),
        ("8.15.0", "monitor_connector", 403),
        ("8.12.2", "manage", 200),
        ("8.12.2", "read", 403),
    ],
)
def test_each_version_asks_for_its_privilege(
    launch: Any, client: Any, version: str, privilege: str, status: int
) -> None:
    key = ApiKey(id="one", secret="s", privileges=frozenset({privilege}))
    sandbox = launch(version=version, api_keys=(key,))
    answer = client.job(sandbox, id_of(0))
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["reason"].startswith("action [")


def test_a_key_without_monitor_may_read_jobs_but_not_the_root(launch: Any, client: Any) -> None:
    sandbox = launch(api_keys=(ApiKey(id="one", secret="s", privileges=frozenset({"monitor_connector"})),))
    assert client.job(sandbox, id_of(0)).status_code == 200
    answer = client.get(sandbox, "/")
    assert answer.status_code == 403
    assert "cluster:monitor/main" in answer.json()["error"]["reason"]


def test_requests_are_counted_by_route_and_by_id_also_the_refused_ones(launch: Any, client: Any) -> None:
    sandbox = launch()
    client.get(sandbox, "/")
    for _ in range(3):
        client.job(sandbox, id_of(1))
    client.get(sandbox, f"/_connector/_sync_job/{id_of(2)}", key=POOR_KEY.encoded)
    client.get(sandbox, "/_cat/indices")
    assert sandbox.requests_by_route == {"GET /": 1, JOB_ROUTE: 4}
    assert sandbox.requests_by_id == {id_of(1): 3, id_of(2): 1}


def test_a_test_may_change_and_delete_documents_between_requests(launch: Any, client: Any) -> None:
    documents: dict[str, Any] = {"a": {"status": "pending"}}
    sandbox = launch(documents=documents)
    assert client.job(sandbox, "a").json()["status"] == "pending"
    documents["a"] = b'{"id":"a","status":"completed","n":1e400}'
    assert client.job(sandbox, "a").content == documents["a"]
    documents["a"] = {"id": "another", "status": "completed"}
    assert client.job(sandbox, "a").json()["id"] == "another"
    del documents["a"]
    assert client.job(sandbox, "a").status_code == 404


def test_jobs_beyond_the_count_do_not_exist(launch: Any, client: Any) -> None:
    sandbox = launch(jobs=3)
    statuses = [client.job(sandbox, job_id).status_code for job_id in (id_of(2), id_of(3), id_of(MISSING_FROM))]
    assert statuses == [200, 404, 404]


def test_running_jobs_finish_and_pending_ones_start_when_the_sandbox_is_advanced(launch: Any, client: Any) -> None:
    sandbox = launch()
    running, pending, done = first_with("in_progress"), first_with("pending"), first_with("completed")
    before = {job_id: client.job(sandbox, job_id).json() for job_id in (running, pending, done)}
    sandbox.advance()
    after = {job_id: client.job(sandbox, job_id).json() for job_id in (running, pending, done)}
    assert after[running]["status"] == "completed"
    assert after[running]["completed_at"] is not None
    assert after[running]["indexed_document_count"] >= before[running]["indexed_document_count"]
    assert after[running]["connector"] == before[running]["connector"]
    assert after[pending]["status"] == "in_progress"
    assert after[done] == before[done]
    sandbox.advance()
    assert client.job(sandbox, pending).json()["status"] == "completed"


def test_every_open_job_ends_after_two_steps_and_stays_as_it_is() -> None:
    for number in range(300):
        assert generate_job(SEED, number, step=2)["status"] in {"completed", "error", "canceled"}
        assert generate_job(SEED, number, step=2) == generate_job(SEED, number, step=9)


def test_a_suspended_job_starts_again_with_counters_at_zero() -> None:
    number = next(
        n for n in range(JOBS) if "worker_hostname" in generate_job(SEED, n) and first_with("suspended") == id_of(n)
    )
    before, after = generate_job(SEED, number), generate_job(SEED, number, step=1)
    assert after["status"] == "in_progress"
    assert after["indexed_document_count"] == 0
    assert after["started_at"] > before["started_at"]


def test_many_clients_at_once_get_their_own_jobs(launch: Any) -> None:
    sandbox = launch()

    def fetch(numbers: range) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            session.headers["Authorization"] = f"ApiKey {sandbox.api_key}"
            ids = [id_of(number) for number in numbers]
            return ids == [
                session.get(f"{sandbox.url}/_connector/_sync_job/{one}", timeout=30).json()["id"] for one in ids
            ]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(fetch, [range(start, start + 25) for start in range(0, 200, 25)]))
    assert sandbox.requests_by_route[JOB_ROUTE] == 200


def test_it_serves_over_tls(launch: Any, client: Any, tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    sandbox = launch(tls=context)
    assert sandbox.url.startswith("https://127.0.0.1:")
    assert client.get(sandbox, "/", verify=str(tmp_path / "ca.pem")).status_code == 200
    with pytest.raises(requests.exceptions.SSLError):
        client.get(sandbox, "/")


def test_after_closing_nothing_listens_and_the_same_port_can_be_used_again() -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.url.rsplit(":", 1)[1])
        requests.get(sandbox.url, timeout=30)
    sandbox.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=30)
    with Sandbox(port=port) as again:
        assert again.url == f"http://127.0.0.1:{port}"
        assert requests.get(again.url, timeout=30).status_code == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.com", "::", ""])  # noqa: S104 - is refused
def test_it_refuses_to_listen_anywhere_but_on_loopback(host: str) -> None:
    with pytest.raises(UsageError, match="loopback"):
        Sandbox(host=host)
    with pytest.raises(UsageError, match="loopback"):
        serve(SandboxSettings(), host=host, port=0, on_ready=print)


def test_a_taken_port_is_said_with_its_number() -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.url.rsplit(":", 1)[1])
        with pytest.raises(UsageError, match=f"127.0.0.1:{port}"):
            Sandbox(port=port).start()
        with pytest.raises(UsageError, match="choose another port"):
            serve(SandboxSettings(), port=port, on_ready=print)


def test_serving_in_the_foreground_tells_its_url_and_answers_until_it_is_interrupted() -> None:
    code = (
        "from etl.sandbox.server import serve; from etl.sandbox.settings import SandboxSettings\n"
        "try: serve(SandboxSettings(), host='localhost', port=0, on_ready=lambda url: print(url, flush=True))\n"
        "except KeyboardInterrupt: print('interrupted')"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            status = requests.get(url, timeout=30).status_code
            server.send_signal(signal.SIGINT)
            assert server.communicate(timeout=30) == ("interrupted\n", "")
        finally:
            server.kill()
    assert status == 401


@pytest.mark.parametrize("version", ["nine", "9", "", "9.x.1"])
def test_a_version_that_is_none_is_a_usage_error(version: str) -> None:
    with pytest.raises(UsageError, match="version"):
        Sandbox(SandboxSettings(version=version))
