"""The demo's ids have the states that their file says, and the repository shows the same file."""

from __future__ import annotations

from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from etl import jsontext
from etl.errors import UsageError
from etl.sandbox.course import IDLE
from etl.sandbox.demo import demo_ids_text, demo_jobs_text
from etl.sandbox.generate import generate_job
from etl.sandbox.identity import MISSING_FROM, number_of
from etl.sandbox.outline import outline_of
from etl.sandbox.settings import JOBS, SEED

WORDS = {
    "finished": "completed",
    "failed": "error",
    "running": "in_progress",
    "pending": "pending",
    "canceled": "canceled",
    "canceling": "canceling",
    "suspended": "suspended",
}


def lines(text: str) -> list[tuple[str, str]]:
    """Return (id, comment) of each line that has an id."""
    split = [line.partition(" # ") for line in text.splitlines() if line and not line.startswith("#")]
    return [(job_id, comment) for job_id, _, comment in split]


def test_the_repository_shows_the_packaged_file() -> None:
    packaged = files("etl.sandbox").joinpath("demo_jobs.txt").read_bytes()
    assert (Path(__file__).parents[2] / "jobs.txt").read_bytes() == packaged
    assert packaged.decode() == demo_ids_text()


def test_each_id_of_the_demo_has_the_state_of_its_comment(launch: Any, client: Any) -> None:
    sandbox = launch()
    for job_id, comment in lines(demo_ids_text()):
        answer = client.job(sandbox, job_id)
        if comment == "missing":
            assert answer.status_code == 404
        else:
            number = number_of(job_id)
            assert number is not None
            outline = outline_of(SEED, number)
            assert comment == f"{answer.json()['status']}: {outline.connector.service_type}, {outline.writer}"


def test_each_id_stands_under_the_heading_of_its_state() -> None:
    heading = ""
    for line in demo_ids_text().splitlines()[2:]:
        if line.startswith("# "):
            heading = line[2:].partition(":")[0]
        elif line:
            assert line.partition(" # ")[2].partition(":")[0] == WORDS.get(heading, heading)


def test_the_demo_has_some_25_different_ids_with_every_state_and_a_few_missing() -> None:
    found = lines(demo_ids_text())
    assert len({job_id for job_id, _ in found}) == len(found)
    assert 22 <= len(found) <= 28
    states = {comment.partition(":")[0] for _, comment in found}
    assert states == {*WORDS.values(), "missing"}


@pytest.mark.parametrize("count", [0, 1, 250])
def test_a_demo_of_any_size_has_so_many_jobs_and_a_few_missing(count: int) -> None:
    numbers = [number_of(job_id) for job_id, _ in lines(demo_jobs_text(count))]
    assert numbers == [*range(count), *range(MISSING_FROM, MISSING_FROM + 3)]


def test_a_negative_size_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="negative"):
        demo_jobs_text(-1)


def test_the_demo_shows_a_value_that_is_no_time_or_number_and_the_error_that_people_ask_about() -> None:
    numbers = [number_of(job_id) for job_id, comment in lines(demo_ids_text()) if comment != "missing"]
    jobs = [generate_job(SEED, number) for number in numbers if number is not None]
    assert any(job.get("last_seen") == "just now" or job.get("total_document_count") == "unknown" for job in jobs)
    assert any(job.get("error") == IDLE for job in jobs)


def test_the_documents_of_the_demo_are_the_ones_that_they_always_were() -> None:
    digest = blake2b(digest_size=8)
    for number in range(JOBS):
        digest.update(jsontext.dump(generate_job(SEED, number)).encode())
    assert digest.hexdigest() == "01accbc2b7fb0018"
