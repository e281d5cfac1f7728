"""Measures jobs by id to Parquet, end to end: `etl run`, dlt, and the script that people write.

    python benchmarks/end_to_end.py --install
    python benchmarks/end_to_end.py --jobs 5000 20000 --rounds 5

The first command puts dlt into a virtual environment of its own, `.bench-venv`. All fetch the same ids from the same
nginx on loopback (needs nginx), in turn, round after round, into an empty folder each time; the order moves on by one
in each round. A round that nobody is measured in comes first, for caches. Prints rows for docs/performance.md: medians,
and medians of the ratios within a round; processor time and memory are of all programs together, less nginx.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from measured import Cost, cost_of, head, machine, median_ratio, row
from pyarrow import parquet
from server import Server, served

from etl.settings import Strategy, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parent
_ENVIRONMENT = _HERE.parent / ".bench-venv"
_DLT = _ENVIRONMENT / "bin" / "python"
_STRATEGIES = [strategy.value for strategy in Strategy if strategy is not Strategy.AUTO]
_TRANSPORTS = [transport.value for transport in Transport if transport is not Transport.AUTO]
_SCRIPT = "script"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """Whoever is measured.

    Attributes:
        name: shown.
        arguments: of Python; `{url}`, `{ids}` and `{folder}` are filled in.
        python: that runs it.
        jobs: pattern of the Parquet files that hold a row for each job, in the folder.
        strategy: of `etl run`; None for the others.
    """

    name: str
    arguments: tuple[str, ...]
    python: str = sys.executable
    jobs: str
    strategy: str | None = None

    def run(self, server: Server, ids: Path) -> Cost:
        """Run in an empty folder; check that each job has become a row.

        Raises:
            RuntimeError: it ended with an error, or lost jobs.
        """
        with tempfile.TemporaryDirectory(prefix="etl-bench-out-") as folder:
            filled = [argument.format(url=server.url, ids=ids, folder=folder) for argument in self.arguments]
            env = {"ELASTICSEARCH_URL": server.url, "ELASTICSEARCH_API_KEY": server.api_key}
            cost = cost_of([self.python, *filled], folder=Path(folder), env=env)
            rows = sum(parquet.ParquetFile(path).metadata.num_rows for path in Path(folder).glob(self.jobs))
        if rows != len(server.ids):
            msg = f"{self.name}: {rows:,} rows of {len(server.ids):,} jobs\n{cost.out}"
            raise RuntimeError(msg)
        if self.strategy not in {None, Strategy.GET}:
            requests = json.loads(cost.out)["figures"]["requests"]
            assert requests < len(server.ids) / 4 + 10, f"{self.name}: {requests:,} requests, it asked one by one"
        return cost


def contenders(strategies: list[str], transports: list[str], rivals: list[str]) -> Iterator[Contender]:
    """Yield who is measured; the rivals come first, for ratios are to them."""
    if "dlt" in rivals:
        arguments: tuple[str, ...] = (str(_HERE / "rivals" / "with_dlt.py"), "{url}", "{ids}", "{folder}")
        yield Contender(name="dlt", arguments=arguments, python=str(_DLT), jobs="tables/sync_jobs/sync_jobs/*.parquet")
    for name, threads in ((_SCRIPT, 1), (f"{_SCRIPT}, 16 threads", 16)):
        if _SCRIPT in rivals:
            arguments = (str(_HERE / "rivals" / "script.py"), "{url}", "{ids}", "{folder}", str(threads))
            yield Contender(name=name, arguments=arguments, jobs="sync_jobs.parquet")
    for strategy, transport in product(strategies, transports):
        said = ("--strategy", strategy, "--transport", transport)
        yield Contender(
            name=f"`etl run {' '.join(said)}`",
            arguments=("-m", "etl", "run", "{ids}", "--json", "-q", "--output", "{folder}/output", *said),
            jobs="output/latest/sync_jobs/*.parquet",
            strategy=strategy,
        )


def measure(jobs: int, rounds: int, crowd: list[Contender]) -> None:
    """Measure one size, and print its rows."""
    costs: dict[str, list[Cost]] = defaultdict(list)
    with served(jobs) as server, tempfile.TemporaryDirectory() as folder:
        ids = Path(folder) / "ids.txt"
        ids.write_text("\n".join(server.ids))
        for number in range(rounds + 1):
            known = server.asked_live()
            turn = number % len(crowd)
            for contender in (*crowd[turn:], *crowd[:turn]):
                cost = contender.run(server, ids)
                print(f"  {number}: {contender.name}: {cost.seconds:.1f} s", file=sys.stderr, flush=True)
                if number:
                    costs[contender.name].append(cost)
            assert not number or server.asked_live() == known, "nginx did not know all answers"
    for contender in crowd:
        print(_row(jobs, contender, costs), flush=True)


def _row(jobs: int, contender: Contender, costs: dict[str, list[Cost]]) -> str:
    own = costs[contender.name]
    seconds = [cost.seconds for cost in own]
    ratios = []
    for name in ("dlt", _SCRIPT):
        theirs = costs.get(name)
        if theirs is None:
            ratios += ["", ""]
            continue
        faster = median_ratio((cost.seconds for cost in theirs), seconds)
        cheaper = median_ratio((cost.cpu_s for cost in theirs), (cost.cpu_s for cost in own))
        ratios += [f"{faster:.1f}", f"{cheaper:.1f}"]
    return row(
        contender.name,
        f"{jobs:,}",
        f"{jobs / statistics.median(seconds):,.0f}",
        *ratios,
        f"{statistics.median(cost.cpu_s for cost in own) / jobs * 1e6:,.0f}",
        f"{statistics.median(cost.peak_bytes for cost in own) / 1e6:,.0f}",
    )


def _install() -> None:
    subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], check=True)
    subprocess.run([str(_DLT), "-m", "pip", "install", "-q", "dlt[filesystem,parquet]>=1,<2"], check=True)


def main() -> None:
    """Measure each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[5_000, 20_000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strategies", nargs="*", default=_STRATEGIES, choices=_STRATEGIES)
    parser.add_argument("--transports", nargs="+", default=_TRANSPORTS, choices=_TRANSPORTS)
    parser.add_argument("--rivals", nargs="*", default=["dlt", _SCRIPT], choices=["dlt", _SCRIPT])
    parser.add_argument("--install", action="store_true", help="put dlt into .bench-venv, and end")
    given = parser.parse_args()
    if given.install:
        _install()
        return
    if "dlt" in given.rivals and shutil.which(_DLT) is None:
        sys.exit(f"dlt is missing; once: python {sys.argv[0]} --install; or measure without it: --rivals {_SCRIPT}")
    crowd = list(contenders(given.strategies, given.transports, given.rivals))
    print(f"{machine()}; median of {given.rounds} rounds\n")
    print(
        head(
            "by id to Parquet", "jobs", "jobs/s", "times dlt", "in CPU", "times the script", "in CPU", "CPU µs a job",
            "peak MB",
        )
    )  # fmt: skip
    for jobs in given.jobs:
        measure(jobs, given.rounds, crowd)


if __name__ == "__main__":
    main()
