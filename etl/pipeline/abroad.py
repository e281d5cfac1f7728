"""Batches on other machines: no secret goes there, and what they need there is looked at before they are begun."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from etl.engine.work import Steps
from etl.errors import OutputError, UsageError
from etl.extract.auth import secrets_of
from etl.load.layout import Layout
from etl.load.lock import name_of_holder
from etl.load.place import in_store
from etl.schema.arrow import schema_fingerprint
from etl.settings import has_credentials, with_own, without_secrets
from etl.transform.redact import REDACTOR_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path
    from threading import Event

    from etl.pipeline.batch import BatchResult, BatchTask, BatchWork, Fetched
    from etl.settings import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchesAbroad:
    """What all batches of a run share where they are done on other machines; picklable.

    Attributes:
        work: what is done with each batch, with a connection that holds no secret.
        signed: whether requests need credentials, which each machine has in its own environment.
        holder: what the run has left in the lock of the dataset: who reads the same there sees the same folder.
    """

    work: BatchWork
    signed: bool
    holder: bytes

    @classmethod
    def of(cls, work: BatchWork) -> Self:
        """Return the work without its secrets.

        Raises:
            OutputError: the lock of the dataset cannot be read.
        """
        return cls(
            work=replace(work, connection=without_secrets(work.connection)),
            signed=has_credentials(work.connection),
            holder=holder_in(work.output),
        )

    @contextmanager
    def open(self, stop: Event, watch: Callable[[int, int], None]) -> Iterator[Steps[BatchTask, BatchResult]]:
        """Open connections with this machine's own credentials; see `etl.engine.work.Work`."""
        work = replace(self.work, connection=self._connection())
        with work.open(stop, watch) as steps:
            yield Steps(fetch=steps.fetch, stage=self._stage)

    def again(self, task: BatchTask) -> BatchTask:
        """Return the task without its documents; see `etl.engine.work.Work`."""
        return self.work.again(task)

    def check(self) -> None:
        """Look for credentials, the output folder and the same program; see `etl.engine.work.WorkAbroad`.

        Raises:
            UsageError: there are no credentials, or another `etl` is installed.
            OutputError: the output folder is not the run's, or cannot be written to.
        """
        provenance = self.work.provenance
        if (schema_fingerprint(), REDACTOR_VERSION) != (provenance.schema_fingerprint, provenance.redactor_version):
            msg = "another etl is installed there, with other tables or another redactor: install the one of the run"
            raise UsageError(msg)
        self._connection()
        check_output(self.work.output, self.holder)

    def secrets(self) -> Iterable[str]:
        """Return what no text from this machine may show."""
        return secrets_of(self._connection())

    def _connection(self) -> Connection:
        return with_own(self.work.connection, signed=self.signed)

    def _stage(self, task: BatchTask, fetched: Fetched) -> BatchResult:
        """Stage under a name of its own: whoever is taken for dead may be at work on the same batch."""
        return replace(self.work, attempt=secrets.token_hex(4)).stage(task, fetched)


def check_output(root: Path, holder: bytes) -> None:
    """Check that this machine sees the output folder of a run, and may write to it.

    Args:
        root: of the dataset.
        holder: see `holder_in`.

    Raises:
        OutputError: it does not; the message says what to do about it there.
    """
    try:
        same = holder_in(root) == holder
    except OutputError:
        same = False
    if not same:
        one = "one file system under the same path" if in_store(root) is None else "one store, by AWS_ENDPOINT_URL"
        msg = f"{root} is not the run's output folder there: let all workers and the run see {one}"
        raise OutputError(msg)
    if in_store(root) is not None:
        return  # whether a store lets an account write, it tells only to whoever does
    staging = Layout(root).staging
    if not all(os.access(folder, os.W_OK | os.X_OK) for folder in (root, staging) if folder.exists()):
        msg = f"{root} cannot be written to there: start workers under the account that starts the run"
        raise OutputError(msg)


def holder_in(root: Path) -> bytes:
    """Return what a run has left in the lock of a dataset: who reads the same elsewhere sees the same folder.

    Raises:
        OutputError: it cannot be read.
    """
    return name_of_holder(Layout(root).lock)
