"""The settings that the stages are given."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that no repr, log line or traceback shows; `reveal` is called only where it is sent."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """Return the value itself."""
        return self._value

    def __str__(self) -> str:
        return "[redacted]"


class Transport(StrEnum):
    """What carries requests to the cluster."""

    AUTO = "auto"
    """CURL where it is installed and can take the way there, else REQUESTS."""

    REQUESTS = "requests"
    """The library of that name."""

    CURL = "curl"
    """libcurl, which takes a fraction of the processor time; an extra."""


CREDENTIALS = "ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD"
"""Where credentials are given."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Connection:
    """How the cluster is reached.

    Attributes:
        url: scheme, host, port and path prefix; no userinfo, no trailing slash.
        api_key: in the encoded form that the Authorization header takes; None without.
        username: for basic authentication; None without.
        password: for basic authentication; None without.
        credentials_from: names of the settings that the credentials came from, or would.
        ca_certs: file or folder of certificates to trust; None for the default ones.
        proxies: by scheme, as requests takes them; resolved from the environment once.
        concurrency: requests under way at once.
        connect_timeout_s: seconds until a connection must stand.
        read_timeout_s: seconds without a byte after which an answer is given up.
        max_attempts: requests for one id before it fails.
        id_deadline_s: seconds for one id, waits included.
        retry_after_cap_s: the longest Retry-After that is waited for; beyond it the id fails.
        max_response_bytes: the largest answer that is read.
        transport: what carries the requests.
    """

    url: str
    api_key: Secret | None = None
    username: str | None = None
    password: Secret | None = None
    credentials_from: str = CREDENTIALS
    ca_certs: Path | None = None
    proxies: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 8
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 30.0
    max_attempts: int = 6
    id_deadline_s: float = 300.0
    retry_after_cap_s: float = 60.0
    max_response_bytes: int = 64 * 1024 * 1024
    transport: Transport = Transport.AUTO


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """A number of ids, or a part of all.

    Attributes:
        number: of ids; None where it is a part.
        percent: of all ids; None where it is a number.
    """

    number: int | None = None
    percent: float | None = None

    def of(self, total: int) -> float:
        """Return the number of ids that it is of so many."""
        return float(self.number) if self.number is not None else total * (self.percent or 0.0) / 100

    def __str__(self) -> str:
        return f"{self.percent:g}%" if self.number is None else str(self.number)


class Strategy(StrEnum):
    """How the documents of a list of ids are fetched."""

    AUTO = "auto"
    """GET or PAGE, whichever costs less; the index is never read unasked."""

    GET = "get"
    """One request an id."""

    PAGE = "page"
    """The list of all jobs is walked; ids that are not in it are then got one by one."""

    MGET = "mget"
    """Many ids a request, out of the index itself, which needs a privilege of its own."""


class Engine(StrEnum):
    """Where batches run."""

    LOCAL = "local"
    """On this machine."""

    DASK = "dask"
    """On the workers of a Dask cluster."""


FORMATS = ("parquet", "csv")
"""Formats that the tables can be written in. Parquet is always written: CSV is made of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSettings:
    """What a run does.

    Attributes:
        output: folder of the dataset.
        formats: of the tables' files; added to those that the dataset has.
        output_mode: permissions of new files that readers use, such as 0o640; None leaves them to the umask.
        csv_raw: write texts in CSV as they are; else what a spreadsheet would run as a formula is made harmless.
        exposed: configuration fields whose values may be shown.
        settle_s: seconds after its latest time from which a final job is not fetched again.
        overlap_s: seconds before the last walk's newest job up to which an incremental walk looks again.
        refresh: fetch settled jobs too.
        strict: ids that the cluster does not have count as a failure.
        batch_size: ids staged together.
        keep_raw: keep the documents as received, redacted.
        strategy: how the documents of a list of ids are fetched.
        workers: programs that share the work; None for as many as the machine and the number of ids are worth.
        engine: where batches run.
        dask_scheduler: address of the cluster's scheduler, where they run on one.
        max_failures: failed and rejected ids beyond which the run ends, publishing nothing; None runs to the end.
        deadline_s: seconds after which no further id is asked for; None without.
        keep_snapshots: snapshots kept in any case.
        keep_hours: hours for which a superseded snapshot is kept.
        keep_runs: run folders kept.
        source: name of the source where it is known without asking (`sandbox`); None asks the cluster.
    """

    output: Path
    formats: tuple[str, ...] = ("parquet",)
    output_mode: int | None = None
    csv_raw: bool = False
    exposed: frozenset[str] = frozenset()
    settle_s: float = 3600.0
    overlap_s: float = 3600.0
    refresh: bool = False
    strict: bool = False
    batch_size: int = 1000
    keep_raw: bool = False
    strategy: Strategy = Strategy.AUTO
    workers: int | None = None
    engine: Engine = Engine.LOCAL
    dask_scheduler: str | None = None
    max_failures: Share | None = None
    deadline_s: float | None = None
    keep_snapshots: int = 3
    keep_hours: float = 24.0
    keep_runs: int = 400
    source: str | None = None
