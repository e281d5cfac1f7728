"""What happened to a job: its times, counters, worker and error, by its status at a step of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl.sandbox import invented
from etl.sandbox.dice import Dice
from etl.sandbox.outline import FINAL, Part
from etl.sandbox.stamps import SECOND

if TYPE_CHECKING:
    from etl.sandbox.outline import Outline

IDLE = "The job has not seen any update for some time."

_MOST = 2_147_483_647  # the mapping's `integer`
_STEP = 600 * SECOND  # what one advance of the sandbox is on a job's own clock
_WORKERS = ("connectors-7d9f8b6c5-x2lkq", "connectors-7d9f8b6c5-m84vt", "ip-10-0-3-17", "worker-1", "büro-server")

_BULK_ERROR = (
    "DocumentIngestionError: failed to index 1 of 500 documents: "
    '{"_id":"employee-NUMBER","status":400,"error":{"type":"document_parsing_exception","reason":"[1:37] failed to '
    r"parse field [birth_date] of type [date]. Preview of field's value: '{\"name\":\"Zoë Müller\"}'"
    '"}}'
)
_ERRORS = (
    (IDLE, 0.28),
    ("ConnectionError: Connection to the source timed out after 90 seconds", 0.12),
    ("SyncJobRunningError: Connector is already running", 0.05),
    ("InvalidClientSecretError: AADSTS7000215: Invalid client secret provided. Trace ID: NUMBER", 0.1),
    ("OperationFailure: bad auth : mongodb://sync_reader:PASSWORD@mongo-0.example.com:27017/", 0.08),
    ("OperationalError: could not connect: host=postgres-0.example.com password=PASSWORD port=5432", 0.08),
    ("TooManyErrors: Exceeded maximum error ratio of 0.05 in the last 1000 operations", 0.08),
    (_BULK_ERROR, 0.07),
    ("PermissionsMissing: 403, message='Forbidden',\n\tfor resource /sites/HR\r\nsee the admin centre", 0.06),
    ('=HYPERLINK("http://example.com","ServiceUnavailable")', 0.02),
    ("", 0.03),
    ("ForceCanceledError", 0.03),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """Times are nanoseconds since 1970; None is what has not happened.

    Attributes:
        volume: bytes indexed.
        total: documents in the index at the end.
    """

    created: int
    started: int | None = None
    last_seen: int | None = None
    completed: int | None = None
    cancelation_requested: int | None = None
    canceled: int | None = None
    indexed: int = 0
    deleted: int = 0
    volume: int = 0
    total: int | None = None
    worker: str | None = None
    error: str | None = None


def course_of(seed: int, outline: Outline) -> Course:
    """Tell what happened to the job up to this step.

    What a job keeps when it moves on is drawn before its status is looked at.
    """
    dice = Dice(seed, outline.number, Part.COURSE)
    created = outline.created
    started = created + dice.skewed(1, 900) * SECOND + dice.between(0, SECOND - 1)
    duration = dice.skewed(4, 20_000) * SECOND + dice.between(0, SECOND - 1)
    whole = dice.chance(0.01)
    reached = _most(outline, dice)
    deleted = dice.skewed(0, 400) if dice.chance(0.5) else 0
    progress = 0.1 + 0.8 * dice.share()
    worker = dice.pick(_WORKERS)
    never_started = dice.chance(0.4)
    by_api = dice.chance(0.15)  # the API's `_error` sets no end
    if whole:  # the fraction of Python's times is left out where it is zero
        started = started // SECOND * SECOND
        duration = duration // SECOND * SECOND
    status = outline.status
    if status == "pending":
        return Course(created=created)
    if status == "canceled" and outline.first_status == "canceled" and never_started:
        at = created + duration
        return Course(created=created, cancelation_requested=at, canceled=at, completed=at)
    resumed = outline.first_status == "suspended" and status != "suspended"
    if resumed:
        started += duration + _STEP
    ended = started + duration
    share = 1.0 if status == "completed" else 0.0 if resumed else progress
    indexed = min(int(reached * share), _MOST)
    requested = started + duration // 2 if status in {"canceling", "canceled"} else None
    is_final = status in FINAL
    return Course(
        created=created,
        started=started,
        last_seen=ended if is_final or status == "suspended" else started + int(duration * share),
        completed=ended if is_final and not (status == "error" and by_api) else None,
        cancelation_requested=requested,
        canceled=ended if status == "canceled" else None,
        indexed=indexed,
        deleted=deleted if is_final else 0,
        volume=indexed * outline.connector.kilobytes * 1024,
        total=outline.connector.documents if status == "completed" else None,
        worker=worker,
        error=_error(dice) if status == "error" else None,
    )


def _most(outline: Outline, dice: Dice) -> int:
    """Return how many documents the job moves when it completes: few of an incremental one."""
    documents = outline.connector.documents
    point = dice.share()
    if outline.kind == "incremental":
        return int(documents * point**6 / 10)
    if outline.kind == "access_control":
        return 10 + int(point * 3_000)
    return int(documents * (0.9 + 0.1 * point))


def _error(dice: Dice) -> str:
    """Return an error as the workers write it; some quote a document or a connection string."""
    template = dice.weighted(_ERRORS)
    return template.replace("NUMBER", str(dice.between(10_000, 99_999))).replace("PASSWORD", invented.password(dice))
