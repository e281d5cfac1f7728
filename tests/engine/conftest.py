"""Both engines, for what holds of either: worker programs of this machine, and a Dask cluster of real programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clusters import Cluster, cluster

from etl.engine.cluster import ClusterEngine
from etl.engine.local import LocalEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clusters import MakeEngine


@pytest.fixture(name="dask", scope="module")
def _dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of two workers; whoever lets one die starts another one."""
    with cluster(tmp_path_factory.mktemp("dask")) as made:
        yield made


@pytest.fixture(name="engine_on", params=["local", "dask"])
def _engine_on(request: pytest.FixtureRequest) -> MakeEngine:
    if request.param == "local":
        return lambda stop, watch: LocalEngine(stop, watch, workers=2)
    made: Cluster = request.getfixturevalue("dask")
    made.keep(2)
    return lambda stop, watch: ClusterEngine(stop, watch, scheduler=made.address, concurrency=2)
