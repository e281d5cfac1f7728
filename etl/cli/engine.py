"""Options that say where batches run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from etl.cli.options import chain, option
from etl.errors import UsageError
from etl.settings import Engine
from etl.settings.extras import check_libraries

if TYPE_CHECKING:
    from collections.abc import Mapping

_ADDRESS: Final = re.compile(r"(?:tcp|tls)://(?:[^/@:\[\]\s]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")

engine_options = chain(
    option(
        "--engine",
        type=click.Choice([engine.value for engine in Engine]),
        default=Engine.LOCAL.value,
        show_default=True,
        help="Where batches run: on this machine, or on the workers of a Dask cluster, which see the output folder "
        "under the same path and have the credentials in their own environment; needs the extra [dask].",
    ),
    option(
        "--dask-scheduler",
        metavar="ADDRESS",
        help="Scheduler of the cluster that --engine dask uses, such as tcp://dask.example.org:8786.",
    ),
)


def check_engine(given: Mapping[str, Any]) -> None:
    """Look whether what is said of the engine fits together, and whether its libraries are there.

    Raises:
        UsageError: it does not, or one is missing.
    """
    context = click.get_current_context()
    named = ("workers", "dask_scheduler")
    on_line = {name for name in named if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    address = given["dask_scheduler"]
    if given["engine"] != Engine.DASK:
        if "dask_scheduler" in on_line:
            msg = "--dask-scheduler is for --engine dask: add that, or leave it out"
            raise UsageError(msg)
        return
    if "workers" in on_line:
        msg = "--workers is for this machine: leave it out with --engine dask, which takes all workers of its cluster"
        raise UsageError(msg)
    if not address:
        msg = "--engine dask needs the address of the scheduler: add --dask-scheduler tcp://host:8786"
        raise UsageError(msg)
    if not _ADDRESS.fullmatch(address):
        msg = f"--dask-scheduler {address}: that is no scheduler's address: write it like tcp://host:8786 or tls://host:8786"
        raise UsageError(msg)
    check_libraries("--engine dask", extra="dask", names=("dask", "distributed"))
