"""Would a run work here? One check after the other, from the address to the space on disk; each says what to do.

Nothing is changed: where a file is written to try whether one can be, it is private, and goes again at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from etl.check import doctor_cluster
from etl.check.diagnosis import Check, Diagnosis, skipped, wrong
from etl.check.doctor_cluster import ClusterDoctor
from etl.check.doctor_output import OutputDoctor, Source
from etl.check.doctor_store import StoreDoctor
from etl.errors import UsageError
from etl.load.place import in_store
from etl.scrub import text as masked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from etl.check.diagnosis import Terms
    from etl.settings import Connection


def examine(reach: Callable[[], Connection], terms: Terms) -> Diagnosis:
    """Check whether a run would work.

    Args:
        reach: returns how the cluster is reached; what it raises as a `UsageError` is a finding.
        terms: of the run.
    """
    source: Source | None = None
    checks: list[Check] = []
    try:
        connection = reach()
        cluster = ClusterDoctor(connection, terms)
    except UsageError as error:
        checks += _without_address(error)
    else:
        checks += cluster.checks()
        if cluster.facts is not None:
            host = urlsplit(connection.url).netloc
            source = Source(name=cluster.facts.uuid or host, hidden=cluster.facts.hidden)
    kind = OutputDoctor if in_store(terms.output) is None else StoreDoctor
    checks += kind(terms.output, source).checks()
    return Diagnosis(checks=tuple(checks))


def _without_address(error: UsageError) -> Iterator[Check]:
    address, *others = doctor_cluster.NAMES
    yield Check(name=address, told=wrong(masked(str(error))))
    for name in others:
        yield Check(name=name, told=skipped(f"{address} is wrong: mend that first"))
