"""Figures of a report, held against pandas on the same dataset."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from documents import job
from histories import NOW, publish_history
from reports import figures_of, run_over

from etl.dataset import open_dataset
from etl.report import census as census_module
from etl.report import cube as cube_module
from etl.report.bins import quantile
from etl.report.cube import Axes, Cube, joined_days, month_start
from etl.report.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def bins_in(runs: list[int]) -> Counter[int]:
    """Read the bins of a cell as the page does."""
    found: Counter[int] = Counter()
    place = runs[0] if runs else 0
    for count in runs[1:]:
        if count < 0:
            place -= count
        else:
            found[place] += count
            place += 1
    return found


def by(cells: dict[str, Any], name: str) -> dict[int, Counter[int]]:
    """Add up the bins of the cells by the value of a column."""
    found: dict[int, Counter[int]] = {}
    for key, runs in zip(cells[name], cells["duration"], strict=True):
        found.setdefault(key, Counter()).update(bins_in(runs))
    return found


def exact(frame: pd.DataFrame, share: float) -> float:
    seconds = (frame["completed_at"] - frame["started_at"]).dt.total_seconds().to_numpy()
    return float(np.quantile(seconds[seconds >= 0], share, method="inverted_cdf"))


@pytest.fixture(scope="module")
def frame(history: Path) -> pd.DataFrame:
    return open_dataset(history)["sync_jobs"]


def test_jobs_are_counted_by_day_and_status(history: Path, frame: pd.DataFrame) -> None:
    figures = figures_of(history)
    cells, statuses = figures.total, figures.census.statuses
    found: Counter[tuple[int, str]] = Counter()
    for place, status in enumerate(statuses):
        for when, count in zip(cells["when"], cells["statuses"][place], strict=True):
            found[when, str(status)] += count
    days = (frame["created_at"] - pd.Timestamp(0, tz="UTC")).dt.days
    assert +found == Counter(zip(days, frame["status"], strict=True))
    assert sum(cells["statuses"][-1]) == 0


def test_documents_and_plausible_volumes_add_up(history: Path, frame: pd.DataFrame) -> None:
    total = figures_of(history).total
    odd = frame["indexed_document_volume"] > 100 * frame["indexed_document_count"]
    assert 0 < odd.sum() < len(frame)
    assert sum(total["documents"]) == frame["indexed_document_count"].sum()
    assert sum(total["deleted"]) == frame["deleted_document_count"].sum()
    assert sum(total["odd"]) == odd.sum()
    assert sum(total["volume"]) == frame["indexed_document_volume"][~odd].sum()


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_durations_by_connector_are_within_what_the_page_says(history: Path, frame: pd.DataFrame, share: float) -> None:
    figures = figures_of(history)
    connectors, steps = figures.census.connectors, figures.parts["steps"]
    completed = frame[frame["status"] == "completed"]
    for place, bins in by(figures.parts, "connector").items():
        wanted = exact(completed[completed["connector_id"] == connectors[place]], share)
        assert quantile(bins, share, steps) == pytest.approx(wanted, rel=2 ** (0.5 / steps) - 1 + 1e-9)


def test_totals_and_parts_hold_the_same_jobs(history: Path) -> None:
    figures = figures_of(history)
    for name in ("documents", "deleted", "volume", "odd"):
        assert sum(figures.total[name]) == sum(figures.parts[name])
    assert sum(by(figures.total, "type").values(), Counter()) == sum(by(figures.parts, "connector").values(), Counter())


def test_filters_narrow_every_figure(history: Path, frame: pd.DataFrame) -> None:
    since = NOW - timedelta(days=100)
    figures = figures_of(history, since=since, statuses=("error",))
    wanted = frame[(frame["created_at"] >= since) & (frame["status"] == "error")]
    assert figures.census.jobs == len(wanted)
    assert figures.census.statuses == ("error",)
    assert sum(figures.total["documents"]) == wanted["indexed_document_count"].sum()
    assert sum(figures.failures["jobs"]) == len(wanted)
    assert all(change.at is not None and change.at >= since for change in figures.changes)


def test_errors_that_say_the_same_are_one_kind(history: Path, frame: pd.DataFrame) -> None:
    failures = figures_of(history).failures
    assert [kind["text"] for kind in failures["kinds"]] == [
        "ConnectionError: no answer from <address> after <n> s, document <id>"
    ]
    assert sum(failures["jobs"]) == frame["error"].notna().sum()
    newest = frame[frame["error"].notna()].iloc[-1]
    assert (failures["kinds"][0]["job_id"], failures["kinds"][0]["example"]) == (newest["job_id"], newest["error"])


def test_drift_is_what_pandas_finds(history: Path, frame: pd.DataFrame) -> None:
    figures = figures_of(history)
    fields = open_dataset(history)["connector_configuration"].merge(frame[["job_id", "connector_id", "created_at"]])
    fields = fields.sort_values(["created_at", "job_id"], kind="stable")
    changed = fields.groupby(["connector_id", "field"])["value_json"].agg(
        lambda values: int((values != values.shift()).iloc[1:].sum())
    )
    assert figures.change_count == (changed > 0).sum()
    for change in figures.changes:
        assert change.changes == changed[change.connector_id, change.field]


def test_the_cells_keep_to_their_size_whatever_they_cost_in_precision(history: Path) -> None:
    connectors = figures_of(history).census.connectors
    axes = Axes(connectors=connectors, types=("full",), statuses=("completed",), newest=20_000)
    cube = Cube(axes, 1000)
    random = np.random.default_rng(1)
    count = 4000
    one = pa.array(np.ones(count, np.int64))
    floats = one.cast(pa.float64())
    cube.add(
        pa.table(
            {
                "day": pa.array(20_000 - random.integers(0, 900, count), pa.int32()),
                "connector_id": pa.array(random.choice([str(name) for name in connectors], count)),
                "job_type": pa.array(["full"] * count),
                "status": pa.array(["completed"] * count),
                "one": one, "documents": floats, "deleted": floats, "volume": floats, "odd": one,
                "duration": pa.array(random.integers(-1, 1200, count), pa.int32()),
                "queue": pa.nulls(count, pa.int32()),
            }
        )
    )  # fmt: skip
    sizes = {}
    for most in (500_000, 100_000, 40_000):
        cells = cube.within(most)
        sizes[most] = len(msgspec.json.encode(cells))
        assert sizes[most] <= most
        assert sum(cells["statuses"][0]) == count
        assert sum(sum(by(cells, "connector").values(), Counter()).values()) == count
    assert sizes[500_000] > sizes[100_000] > sizes[40_000]


def test_days_before_the_border_are_joined_to_their_month() -> None:
    day = (datetime(2026, 3, 17, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    assert month_start(day) == day - 16
    days = pa.chunked_array([pa.array([day, None, day + 40], pa.int32())])
    assert joined_days(days, day + 30).to_pylist() == [day - 16, None, day + 40]


def test_sums_add_up_again_and_again() -> None:
    sums = Sums(["key"], ["one"])
    assert sums.table() is None
    for _ in range(3):
        sums.add(pa.table({"key": ["b", None, "a", "b"], "one": [1, 1, 1, 1]}))
        table = sums.table()
    assert table is not None
    assert dict(zip(table["key"].to_pylist(), table["one"].to_pylist(), strict=True)) == {"b": 6, None: 3, "a": 3}


def test_connectors_that_fail_or_crawl_are_shown_though_they_have_few_jobs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census_module, "MOST_CONNECTORS", 4)
    many = [job(id=f"{c}-{n}", connector={"id": f"busy-{c}"}) for c in range(6) for n in range(5)]
    failing = job(id="f", status="error", error="no", connector={"id": "failing"})
    slow = job(id="s", completed_at="2026-10-09T10:00:00Z", connector={"id": "slow"})
    figures = figures_of(run_over(tmp_path, [*many, failing, slow]))
    assert {"failing", "slow"} < set(figures.census.connectors)
    assert (len(figures.census.connectors), figures.census.others) == (4, 4)
    assert sum(map(sum, figures.parts["statuses"])) == 32


def suspicious(folder: Path, **fields: Any) -> dict[str, list[Any]]:
    reasons = figures_of(run_over(folder, [job(**fields), job(id="plain")])).reasons
    return {reason.kind.name: [row["figure"] for row in reason.newest] for reason in reasons if reason.jobs}


AGO = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
NOON = "2026-10-01T12:00:00Z"
RUNNING = {"created_at": AGO, "started_at": AGO, "last_seen": AGO, "completed_at": None}


@pytest.mark.parametrize(
    ("name", "fields", "figure"),
    [
        ("silent", {"status": "in_progress", **RUNNING}, pytest.approx(3 * 3600, abs=600)),
        ("waiting", {"status": "pending", "created_at": AGO, "started_at": None, "completed_at": None}, None),
        ("suspended", {"status": "suspended", **RUNNING}, None),
        ("late", {"started_at": NOON, "last_seen": NOON, "completed_at": NOON}, 7200.0),
        ("gap", {"completed_at": "2026-10-01T10:15:00Z"}, 600.0),
        ("backwards", {"completed_at": "2026-10-01T09:59:05.000001Z"}, -60.0),
        ("empty", {"indexed_document_count": 0, "indexed_document_volume": 0}, 10.0),
        ("volume", {"indexed_document_volume": 1_048_576}, 1_048_576.0),
    ],
)
def test_a_suspicious_job_is_found_for_the_right_reason(
    tmp_path: Path, name: str, fields: dict[str, Any], figure: Any
) -> None:
    found = suspicious(tmp_path, **fields)
    assert list(found) == [name]
    assert figure is None or found[name] == [figure]


def test_a_job_that_was_looked_at_again_is_judged_by_the_last_look(
    make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = datetime.now(UTC) - timedelta(seconds=30)
    running = job(id="r", status="in_progress", last_seen=soon.isoformat(), completed_at=None)
    bench = make({"r": running})
    assert bench.run().code == 0
    assert {reason.kind.name for reason in figures_of(bench.output).reasons if reason.jobs} == set()
    later = datetime.now(UTC) + timedelta(hours=1)
    looks = {"r": later}
    monkeypatch.setattr("etl.dataset.chosen.ChosenJobs.looked_at", lambda _, ids: looks if ids.to_pylist() else {})
    assert {reason.kind.name for reason in figures_of(bench.output).reasons if reason.jobs} == {"silent"}


def test_rules_in_force_are_those_of_the_newest_job(tmp_path: Path) -> None:
    def with_rule(job_id: str, day: int, value: str) -> dict[str, Any]:
        made = job(id=job_id, created_at=f"2026-{8 + day % 2:02}-{day:02}T10:00:00Z")
        made["connector"]["filtering"]["rules"].insert(
            0, {"id": "r", "order": 0, "policy": "exclude", "field": "path", "rule": "equals", "value": value}
        )
        made["connector"]["filtering"]["validation"] = {
            "state": "invalid", "errors": [{"ids": ["r"], "messages": [f"{value} is wrong"]}],
        }  # fmt: skip
        return made

    found = figures_of(run_over(tmp_path, [with_rule("old", 2, "before"), with_rule("new", 3, "now")])).in_force
    assert [(rule["job_id"], rule["value"]) for rule in found.rules] == [("new", "now")]
    assert [complaint["text"] for complaint in found.complaints] == ["now is wrong"]
    assert [state["state"] for state in found.states] == ["invalid"]


def test_a_redacted_value_tells_of_no_change(tmp_path: Path) -> None:
    def configured(number: int) -> dict[str, Any]:
        fields = {"password": {"value": f"hunter{number}"}, "retries": {"value": number}}
        return job(id=f"job-{number}", created_at=f"2026-10-0{number}", connector={"configuration": fields})

    figures = figures_of(run_over(tmp_path, [configured(1), configured(2)]))
    assert [(change.field, change.before, change.after) for change in figures.changes] == [("retries", "1", "2")]


def test_issues_and_unknown_fields_are_counted(tmp_path: Path) -> None:
    odd = [job(id=f"odd-{n}", deleted_document_count="many", unheard_of=n) for n in range(3)]
    quality = figures_of(run_over(tmp_path, odd)).quality
    assert [(issue["column"], issue["count"]) for issue in quality.issues] == [("deleted_document_count", 3)]
    assert quality.fields == [{"table": "sync_jobs", "name": "unheard_of", "count": 3}]


def peak_of(root: Path) -> int:
    """Gather the figures of a dataset; return the bytes that Arrow took for that at most."""
    usual, measured = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(measured)
    try:
        figures_of(root)
    finally:
        pa.set_memory_pool(usual)
    taken: int = measured.max_memory()
    return taken


@pytest.mark.slow
def test_memory_grows_by_less_than_64_bytes_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cube_module, "_ENOUGH_JOBS", ())  # both as if they were very many
    counts, peaks = (80_000, 320_000), []
    for jobs in counts:
        root = tmp_path / str(jobs)
        publish_history(root, jobs=jobs, connectors=5, days=jobs // 200)  # as many a month, in more months
        # The same to the byte nearly always; what other threads have not given back yet can stand on top of it.
        peaks.append(min(peak_of(root) for _ in range(3)))
    assert (peaks[1] - peaks[0]) / (counts[1] - counts[0]) < 64
