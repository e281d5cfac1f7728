"""Serves sync jobs from nginx on loopback, so that a measurement shows the client and not the server.

    python benchmarks/server.py --jobs 20000

nginx has each job's document as a static file, as `GET /_connector/_sync_job/{id}` answers it. Every other request,
for lists, for many ids at once, for `GET /` or a job that there is not, is answered by a sandbox with the same jobs the
first time it comes, and out of nginx's cache ever after. Serves until Ctrl-C, or as a context for a measurement.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from etl.sandbox import generated
from etl.sandbox.generate import generate_job
from etl.sandbox.generated import GeneratedJobs
from etl.sandbox.identity import id_of
from etl.sandbox.population import large_population
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SEED, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from etl.sandbox.population import Population

CONNECTORS = 36
_JOBS_AN_EDITION = 2_000
DOCUMENTS = "_connector/_sync_job"

_CONFIGURATION = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    types {{ }}
    default_type application/json;
    keepalive_timeout 300;
    keepalive_requests 100000000;
    client_body_temp_path {folder}/body;
    client_body_buffer_size 1m;
    proxy_temp_path {folder}/proxy;
    proxy_buffer_size 256k;
    proxy_buffers 16 256k;
    proxy_busy_buffers_size 512k;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {folder}/cache keys_zone=answers:16m inactive=1d;
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root {folder}/documents;
        add_header X-elastic-product Elasticsearch;
        location / {{
            proxy_pass {live};
            proxy_http_version 1.1;
            proxy_cache answers;
            proxy_cache_methods GET POST;
            proxy_cache_key "$request_method $request_uri $request_body";
            proxy_cache_valid any 1d;
        }}
        location /{documents}/ {{
            try_files $uri @live;
        }}
        location @live {{
            proxy_pass {live};
            proxy_cache answers;
            proxy_cache_valid any 1d;
        }}
    }}
}}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """What is served.

    Attributes:
        url: of nginx.
        ids: of the jobs, in the order of their numbers.
        document_bytes: in a document, on average.
        sandbox: answers what nginx does not know yet.
    """

    url: str
    ids: tuple[str, ...]
    document_bytes: float
    sandbox: Sandbox

    @property
    def api_key(self) -> str:
        """What is let in."""
        return self.sandbox.api_key

    def asked_live(self) -> int:
        """How many requests nginx could not answer so far."""
        return self.sandbox.requests_by_route.total()


def population_of(jobs: int) -> Population:
    """Return jobs of a few dozen connectors over 24 months, a quarter of them of the largest."""
    return large_population(
        jobs=jobs,
        connectors=CONNECTORS,
        largest=jobs // 4,
        deleted=2,
        untyped=jobs // 100,
        undated=jobs // 1000,
        tied=jobs // 20,
    )


class _Edited:
    """Makes jobs whose filtering is edited now and then: the sandbox itself invents one for almost every job.

    All else is left as it is: documents of all writers since 8.5, one in eight with an oddity.
    """

    def __init__(self) -> None:
        self._filterings: dict[tuple[str, int], Any] = {}

    def __call__(self, seed: int, number: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on as given
        job = generate_job(seed, number, **more)
        connector = job.get("connector")
        if isinstance(connector, dict) and "filtering" in connector:
            edition = (str(connector.get("id")), number // _JOBS_AN_EDITION)
            connector["filtering"] = self._filterings.setdefault(edition, connector["filtering"])
        return job


@contextmanager
def served(jobs: int) -> Iterator[Server]:
    """Serve so many jobs from a temporary folder until the context ends."""
    nginx = needed("nginx", "nginx-light")
    generated.generate_job = _Edited()  # what the sandbox behind nginx makes too, in this program alone
    signal.signal(signal.SIGTERM, _end)
    population = population_of(jobs)
    made = GeneratedJobs(SEED, jobs, population)
    ids = tuple(id_of(number) for number in range(jobs))
    with tempfile.TemporaryDirectory(prefix="etl-bench-") as name:
        folder = Path(name)
        documents = folder / "documents" / DOCUMENTS
        documents.mkdir(parents=True)
        size = 0
        for job_id in ids:
            assert quote(job_id, safe="") == job_id, "nginx looks for a file by the decoded path"
            body = made.body(job_id)
            assert body is not None
            size += (documents / job_id).write_bytes(body)
        with Sandbox(SandboxSettings(jobs=jobs, population=population)) as sandbox:
            port = _free_port()
            url = f"http://127.0.0.1:{port}"
            configuration = folder / "nginx.conf"
            configuration.write_text(
                _CONFIGURATION.format(folder=folder, port=port, live=sandbox.url, documents=DOCUMENTS, user=_user())
            )
            command = [nginx, "-c", str(configuration), "-e", str(folder / "error.log"), "-p", str(folder)]
            with subprocess.Popen(command) as program:
                try:
                    _wait_for(port, program)
                    yield Server(url=url, ids=ids, document_bytes=size / max(1, jobs), sandbox=sandbox)
                finally:
                    program.terminate()


def needed(program: str, package: str) -> str:
    """Return the path of a program; end with its package's name where it is missing."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        sys.exit(f"{program} is missing; on Debian: apt-get install -y {package}")
    return found


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End in order, so that nginx does not outlive the measurement."""
    sys.exit(128 + number)


def _user() -> str:
    """Return a directive that lets nginx's workers read a private folder, where root has started them."""
    return f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(port: int, program: subprocess.Popen[bytes]) -> None:
    while program.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    sys.exit("nginx did not start: see what it says above")


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20_000)
    given = parser.parse_args()
    with served(given.jobs) as server:
        print(f"export ELASTICSEARCH_URL={server.url}")
        print(f"export ELASTICSEARCH_API_KEY={server.api_key}")
        print(f"# {len(server.ids):,} jobs of {server.document_bytes:,.0f} bytes on average", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
