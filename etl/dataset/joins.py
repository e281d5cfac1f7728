"""The joins that people need, in pandas; `docs/views.sql` says the same in SQL, held equal by a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl.schema.tables import FINAL_STATUSES, LARGEST_DOCUMENT_MIB

if TYPE_CHECKING:
    import pandas as pd


def jobs_with_connectors(sync_jobs: pd.DataFrame, connectors: pd.DataFrame) -> pd.DataFrame:
    """Join jobs with their connectors and add what follows from their times; see `Dataset.jobs`."""
    connectors = connectors.drop(columns="created_month").rename(columns={"extra_json": "connector_extra_json"})
    jobs = sync_jobs.merge(connectors, on="job_id", how="left", validate="one_to_one")
    ended_at = jobs["completed_at"].fillna(jobs["canceled_at"])
    return jobs.assign(
        is_final=jobs["status"].isin(FINAL_STATUSES).astype("boolean"),
        ended_at=ended_at,
        duration_s=(ended_at - jobs["started_at"]).dt.total_seconds().astype("Float64"),
        queue_s=(jobs["started_at"] - jobs["created_at"]).dt.total_seconds().astype("Float64"),
        volume_mib=_volume_mib(jobs),
    )


def _volume_mib(jobs: pd.DataFrame) -> pd.Series[int]:
    """Keep volumes that can be in MiB: those that leave no mean document larger than Elasticsearch takes."""
    documents = jobs["indexed_document_count"].fillna(0).clip(lower=0).astype("float64")
    volume = jobs["indexed_document_volume"]
    return volume.where(volume.between(0, documents * LARGEST_DOCUMENT_MIB).fillna(value=False))


def latest_of_each_connector(jobs: pd.DataFrame) -> pd.DataFrame:
    """Keep the newest job of each connector: created last, undated ones before all; of equal ones the greater id."""
    known = jobs[jobs["connector_id"].notna()]
    newest = known.sort_values(["created_at", "job_id"], na_position="first").groupby("connector_id").tail(1)
    return newest.sort_values("connector_id", ignore_index=True)
