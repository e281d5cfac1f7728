"""What a sandbox is asked to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl.sandbox.access import ApiKey
from etl.sandbox.faults import NO_FAULTS
from etl.sandbox.population import DEMO_POPULATION

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from etl.jsontext import JsonValue
    from etl.sandbox.faults import Faults
    from etl.sandbox.population import Population

SEED = 1
"""The seed of the demo: the ids in `demo_jobs.txt` have the states that stand there under this one."""

JOBS = 1_000

MOST_JOBS = 1_000_000
"""More would take hours to walk, and their ids the memory of a small machine; commands ask for no more."""

FULL_KEY = ApiKey(id="sandbox-full-access", secret="not-a-secret-full")  # noqa: S106 - public, opens only a sandbox
POOR_KEY = ApiKey(
    id="KEYID",
    secret="not-a-secret-poor",  # noqa: S106 - public, opens only a sandbox
    privileges=frozenset({"monitor"}),
)


def _users() -> dict[str, str]:
    return {"elastic": "not-a-secret"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SandboxSettings:
    """A sandbox's settings.

    Attributes:
        seed: of the generated jobs.
        jobs: how many generated jobs there are: those with the numbers 0 to `jobs` - 1.
        population: whose generated jobs there are, and which connectors are gone.
        documents: explicit jobs by id, instead of generated ones: an object, sent with its id in front unless it has
            an `id` of its own, or bytes, sent as they stand. Read at each request, so a test may change it in between.
        connectors: explicit connectors by id, for the list of connectors; None for those of the population that are
            not deleted, or with `documents` for those that the documents name.
        version: the Elasticsearch that the sandbox claims to be; below 8.12 it knows no sync jobs.
        cluster_uuid: as `GET /` tells it.
        api_keys: keys that are let in; the first is what `Sandbox.api_key` gives.
        users: passwords by name, for basic authentication. No keys and no users: everybody is let in.
        has_index: False answers as a cluster on which no sync job was ever created.
        window: how far `from` and `size` reach, and where a count stops: 10,000 on a real cluster; fewer make a small
            test meet the limit.
        tls: serve https with this context; None for http.
        faults: what goes wrong on purpose.
    """

    seed: int = SEED
    jobs: int = JOBS
    population: Population = DEMO_POPULATION
    documents: Mapping[str, Mapping[str, JsonValue] | bytes] | None = None
    connectors: Mapping[str, Mapping[str, JsonValue]] | None = None
    version: str = "9.1.0"
    cluster_uuid: str = "c2FuZGJveC1jbHVzdGVyLQ"
    api_keys: tuple[ApiKey, ...] = (FULL_KEY, POOR_KEY)
    users: Mapping[str, str] = field(default_factory=_users)
    has_index: bool = True
    window: int = 10_000
    tls: ssl.SSLContext | None = None
    faults: Faults = NO_FAULTS
