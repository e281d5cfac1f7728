"""What goes to other machines: no secret, and what they need is looked at there."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from etl.errors import OutputError, UsageError
from etl.load.layout import Layout
from etl.load.staging import StagedSummary, commit_batch, open_batch, sweep
from etl.load.storage import Storage
from etl.model import Answer, AnswerKind, Provenance, RequestedId
from etl.pipeline.batch import BatchTask, BatchWork
from etl.sandbox.generate import generate_job
from etl.schema.arrow import schema_fingerprint
from etl.settings import Connection, Secret, with_own
from etl.transform.redact import REDACTOR_VERSION

if TYPE_CHECKING:
    from etl.pipeline.abroad import BatchesAbroad

SECRETS = ("planted-user", "planted-password", "planted-proxy", "planted-key")
URL = "http://127.0.0.1:9200"
DOCUMENT = generate_job(1, 1)
ANSWER = Answer(
    id=DOCUMENT["id"],
    kind=AnswerKind.DOCUMENT,
    body=json.dumps(DOCUMENT).encode(),
    fetched_at=datetime(2026, 11, 24, tzinfo=UTC),
)
TASK = BatchTask(number=3, ids=(RequestedId(id=ANSWER.id),), answers=(ANSWER,))


@pytest.fixture(name="work")
def _work(tmp_path: Path) -> BatchWork:
    (tmp_path / "_lock").write_bytes(b'{"run":"this one"}\n')
    return BatchWork(
        connection=Connection(
            url=URL,
            api_key=Secret("planted-key"),
            username="planted-user",
            password=Secret("planted-password"),
            proxies={"http": "http://me:planted-proxy@proxy:3128"},
            ca_certs=Path("/etc/ca.pem"),
            concurrency=9,
            max_attempts=2,
        ),
        version="9.1.0",
        output=tmp_path,
        run_id="20261124T035000Z-000001",
        provenance=Provenance(
            source="here", schema_fingerprint=schema_fingerprint(), redactor_version=REDACTOR_VERSION, exposed=()
        ),
    )


@pytest.fixture(name="there")
def _there(work: BatchWork, monkeypatch: pytest.MonkeyPatch) -> BatchesAbroad:
    """The work as it arrives on a machine with a key of its own."""
    monkeypatch.setenv("ELASTICSEARCH_API_KEY", "own:key-of-this-machine")
    arrived: BatchesAbroad = pickle.loads(pickle.dumps(work.abroad(2)))  # noqa: S301 - made here
    return arrived


def test_no_secret_is_in_what_is_pickled_nor_in_what_is_printed(work: BatchWork) -> None:
    sent = pickle.dumps(work.abroad(1)).decode("latin-1") + repr(work.abroad(1))

    assert URL in sent
    assert not [secret for secret in SECRETS if secret in sent]


def test_a_worker_has_its_own_credentials_its_share_and_the_limits_of_the_run(there: BatchesAbroad) -> None:
    connection = with_own(there.work.connection, signed=there.signed)

    assert connection.url == URL
    assert connection.api_key is not None
    assert connection.api_key.reveal() == "b3duOmtleS1vZi10aGlzLW1hY2hpbmU="
    assert (connection.concurrency, connection.max_attempts) == (4, 2)
    assert set(there.secrets()) >= {"b3duOmtleS1vZi10aGlzLW1hY2hpbmU=", "key-of-this-machine"}
    there.check()


def test_a_worker_without_credentials_says_which_are_missing(
    there: BatchesAbroad, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ELASTICSEARCH_API_KEY")

    with pytest.raises(UsageError, match=f"no credentials for {URL} .*start it with ELASTICSEARCH_API_KEY"):
        there.check()
    replace(there, signed=False).check()


@pytest.mark.parametrize("content", [None, b'{"run":"another one"}\n'])
def test_a_worker_that_sees_another_folder_says_so(there: BatchesAbroad, content: bytes | None) -> None:
    lock = Layout(there.work.output).lock
    lock.unlink()
    if content is not None:
        lock.write_bytes(content)

    with pytest.raises(OutputError, match="is not the run's output folder there: let all workers and the run see one"):
        there.check()


def test_a_worker_with_another_redactor_is_refused(there: BatchesAbroad) -> None:
    provenance = replace(there.work.provenance, redactor_version=REDACTOR_VERSION + 1)

    with pytest.raises(UsageError, match="another etl is installed there"):
        replace(there, work=replace(there.work, provenance=provenance)).check()


def test_two_workers_at_one_batch_write_folders_of_their_own_and_one_comes_into_being(there: BatchesAbroad) -> None:
    storage, run_id = Storage(there.work.output), there.work.run_id
    staged: list[StagedSummary] = []
    with there.open(Event(), lambda *_: None) as steps:
        for _ in range(2):
            made = steps.stage(TASK, steps.fetch(TASK)).staged
            assert made is not None
            staged.append(made)
    folder = storage.layout.staged_run(run_id)
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"3-{made.attempt}.tmp" for made in staged)

    commit_batch(storage, run_id, 3, staged[1].attempt)
    sweep(storage, folder)

    assert [path.name for path in folder.iterdir()] == ["3"]
    assert open_batch(storage, run_id, 3).manifest.jobs == 1


def test_whoever_still_writes_into_a_folder_that_is_swept_finds_it_no_more(
    there: BatchesAbroad, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, run_id = Storage(there.work.output), there.work.run_id
    remove_file = Storage.remove_file
    refused: list[OutputError] = []

    def remove_late(self: Storage, path: Path) -> None:
        if not refused:
            with pytest.raises(OutputError) as told:
                storage.create(path.parent.with_suffix("") / "late.arrows")
            refused.append(told.value)
        remove_file(self, path)

    with there.open(Event(), lambda *_: None) as steps:
        steps.stage(TASK, steps.fetch(TASK))
    monkeypatch.setattr(Storage, "remove_file", remove_late)

    sweep(storage, storage.layout.staged_run(run_id))

    assert len(refused) == 1
    assert not storage.layout.staged_run(run_id).exists()
