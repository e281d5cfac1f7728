"""Measures HTTP alone: our client against wrk on the same server, and against what a slow server lets through.

    python benchmarks/fetching.py --jobs 5000 --rounds 5
    python benchmarks/fetching.py --latency-ms 20 --concurrency 32

Without a latency the server is nginx on loopback with a document for each id, and wrk (needs nginx and wrk) shows what
it can give to 2 threads. With one, the server answers so many milliseconds after each request, and at most
`concurrency` requests are under way: the limit is concurrency / latency. Programs share the concurrency and the ids.
Each transport is measured, in turn. Nothing is parsed or kept but the judgement whether an answer is the job. Prints
rows for docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from measured import head, machine, row
from server import DOCUMENTS, needed, served

from etl.extract.client import Client
from etl.extract.fetch import Fetcher
from etl.model import AnswerKind, RequestedId
from etl.sandbox.identity import id_of
from etl.settings import Connection, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRANSPORTS = [transport.value for transport in Transport if transport is not Transport.AUTO]
_WRK_S = 3
_WRK = """
local ids, next = {{}}, 0
for line in io.lines("{ids}") do ids[#ids + 1] = line end
request = function()
    next = next % #ids + 1
    return wrk.format("GET", "/{documents}/" .. ids[next])
end
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What was reached.

    Attributes:
        per_s: requests a second.
        cpu_us: microseconds of processor time a request, of all programs of the client.
    """

    per_s: float
    cpu_us: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How our client fetches.

    Attributes:
        transport: that carries the requests.
        programs: that share the ids.
    """

    transport: Transport
    programs: int


def fetch_here(url: str, ids_file: str, concurrency: int, transport: Transport) -> None:
    """Fetch all ids of a file, once the word is given; print what it cost as JSON."""
    ids = [RequestedId(id=line) for line in Path(ids_file).read_text().split()]
    connection = Connection(url=url, concurrency=concurrency, transport=transport)
    with Client(connection) as client, Fetcher(client) as fetcher:
        print("ready", flush=True)
        sys.stdin.readline()
        cpu_s = time.process_time()
        found = sum(answer.kind is AnswerKind.DOCUMENT for answer in fetcher.fetch(ids, stop=threading.Event()))
        print(json.dumps({"found": found, "cpu_s": time.process_time() - cpu_s}), flush=True)


def fetch(url: str, ids: tuple[str, ...], *, way: Way, concurrency: int) -> Rate:
    """Fetch all ids with the programs of a way, which share the concurrency."""
    programs = way.programs
    with tempfile.TemporaryDirectory() as folder:
        running: list[subprocess.Popen[str]] = []
        for number in range(programs):
            part = Path(folder) / f"ids-{number}"
            part.write_text("\n".join(ids[number::programs]))
            command = [sys.executable, __file__, "--here", url, str(part), str(concurrency // programs), way.transport]
            running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        for program in running:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        started = time.perf_counter()
        for program in running:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        costs = [json.loads(program.stdout.readline()) for program in running if program.stdout is not None]
        seconds = time.perf_counter() - started
        for program in running:
            program.communicate()
    found = sum(cost["found"] for cost in costs)
    assert found == len(ids), f"{found:,} of {len(ids):,} jobs were found"
    return Rate(per_s=len(ids) / seconds, cpu_us=sum(cost["cpu_s"] for cost in costs) / len(ids) * 1e6)


def with_wrk(url: str, ids: tuple[str, ...], connections: int) -> Rate:
    """Let wrk ask for the ids over and over for some seconds."""
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder) / "ids", Path(folder) / "ids.lua"
        listed.write_text("\n".join(ids))
        script.write_text(_WRK.format(ids=listed, documents=DOCUMENTS))
        command = [needed("wrk", "wrk"), "-t2", f"-c{connections}", f"-d{_WRK_S}s", "-s", str(script), url]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert rate is not None, said
    assert "Non-2xx" not in said, said
    return Rate(per_s=float(rate[1]), cpu_us=float("nan"))


class _Slow(asyncio.Protocol):
    """Answers each request as a sync job of that id, a while later."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        job_id = data.split(b" ", 2)[1].rpartition(b"/")[2]
        body = b'{"id":"%b","status":"completed","error":"%b"}' % (job_id, b"x" * 4_600)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
        asyncio.get_running_loop().call_later(self._latency_s, self._transport.write, head + body)


async def _serve_slowly(latency_s: float) -> None:
    server = await asyncio.get_running_loop().create_server(lambda: _Slow(latency_s), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def slow_server(latency_ms: float) -> Iterator[str]:
    """Serve in a program of its own; its URL."""
    command = [sys.executable, __file__, "--serve-slowly", str(latency_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(program.stdout.readline())}"
        finally:
            program.terminate()


def show(title: str, limit: str, rates: dict[str, list[Rate]], limits: list[float]) -> None:
    """Print the rows: medians, and the median of the shares within a round."""
    print(head(title, "requests/s", f"of {limit}", "CPU µs a request"))
    for name, own in rates.items():
        share = statistics.median(rate.per_s / most for rate, most in zip(own, limits, strict=True))
        cpu_us = statistics.median(rate.cpu_us for rate in own)
        print(
            row(
                name,
                f"{statistics.median(rate.per_s for rate in own):,.0f}",
                f"{share:.2f}",
                f"{cpu_us:,.0f}" if cpu_us == cpu_us else "",  # noqa: PLR0124 - wrk has none
            )
        )


def main() -> None:
    """Measure, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--programs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--transports", nargs="+", default=_TRANSPORTS, choices=_TRANSPORTS)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--here", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--serve-slowly", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        url, ids_file, concurrency, transport = given.here
        fetch_here(url, ids_file, int(concurrency), Transport(transport))
        return
    if given.serve_slowly is not None:
        asyncio.run(_serve_slowly(given.serve_slowly / 1000))
        return
    needed("wrk", "wrk")
    connections = given.concurrency
    wrk = f"wrk, 2 threads, {connections} connections"
    ways = {
        f"{transport}, {programs} x {connections // programs}": Way(transport=Transport(transport), programs=programs)
        for transport in given.transports
        for programs in given.programs
    }
    rates: dict[str, list[Rate]] = {name: [] for name in (wrk, *ways)}
    with slow_server(given.latency_ms) if given.latency_ms else _nginx(given.jobs) as url:
        ids = tuple(id_of(number) for number in range(given.jobs))
        for number in range(given.rounds):
            rates[wrk].append(with_wrk(url, ids, connections))
            for name in ways if number % 2 else reversed(ways):
                rates[name].append(fetch(url, ids, way=ways[name], concurrency=connections))
    print(f"{machine()}; median of {given.rounds} rounds of {given.jobs:,} ids\n")
    if given.latency_ms:
        limit = given.concurrency / (given.latency_ms / 1000)
        title = f"HTTP, {given.latency_ms:g} ms, {connections} under way"
        show(title, f"{connections} / {given.latency_ms:g} ms", rates, [limit] * given.rounds)
    else:
        show("HTTP, loopback", "wrk", rates, [rate.per_s for rate in rates[wrk]])


@contextmanager
def _nginx(jobs: int) -> Iterator[str]:
    with served(jobs) as server:
        yield server.url


if __name__ == "__main__":
    main()
