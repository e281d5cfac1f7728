"""Sync jobs by id to Parquet with dlt, as its documentation on performance recommends: pages, and parallel threads.

    python with_dlt.py URL IDS_FILE FOLDER

Runs in a virtual environment of its own. dlt flattens the documents into tables by itself, but for the configuration:
with the fields of each connector as columns, and a table for each list in them, it would take twice as long. So they
become rows first, and what is free-form in them JSON text.
"""

from __future__ import annotations

import json
import os
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

url, ids_file, folder = sys.argv[1:]
os.environ |= {
    "DLT_DATA_DIR": f"{folder}/dlt",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "EXTRACT__WORKERS": "16",
    "EXTRACT__MAX_PARALLEL_ITEMS": "32",
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "5000",  # files, so that there is something to normalize in parallel
    "NORMALIZE__WORKERS": str(len(os.sched_getaffinity(0))),
    "NORMALIZE__START_METHOD": "spawn",
    "DATA_WRITER__COMPRESSION": "zstd",
}

import dlt
from dlt.sources.helpers import requests  # with retries, one session a thread

_PAGE = 100


@dlt.resource
def ids() -> Iterator[list[str]]:
    """Yield pages of ids."""
    lines = iter(Path(ids_file).read_text().split())
    while page := list(islice(lines, _PAGE)):
        yield page


@dlt.transformer(data_from=ids, name="sync_jobs", write_disposition="replace", parallelized=True)
def sync_jobs(page: list[str]) -> Iterator[list[Any]]:
    """Yield the documents of a page of ids."""
    documents = []
    for job_id in page:
        answer = requests.get(f"{url}/_connector/_sync_job/{job_id}")
        answer.raise_for_status()
        documents.append(with_rows(answer.json()))
    yield documents


def with_rows(document: dict[str, Any]) -> dict[str, Any]:
    """Turn what is named by its key into rows, and free-form JSON into text."""
    connector = document.get("connector", document)
    configuration = connector.get("configuration") or {}
    connector["configuration"] = [
        {"field": field, **_cells(known if isinstance(known, dict) else {"value": known})}
        for field, known in configuration.items()
    ]
    for part in (connector, document):
        for name in ("sync_cursor", "connector.sync_cursor", "metadata"):
            if name in part:
                part[name] = json.dumps(part[name])
    return document


def _cells(known: dict[str, Any]) -> dict[str, Any]:
    return {
        name: json.dumps(value) if isinstance(value, dict | list) or name in {"value", "default_value"} else value
        for name, value in known.items()
    }


def main() -> None:
    """Run the pipeline."""
    pipeline = dlt.pipeline(
        pipeline_name="sync_jobs",
        destination=dlt.destinations.filesystem(bucket_url=f"{folder}/tables"),
        dataset_name="sync_jobs",
    )
    pipeline.run(sync_jobs(), loader_file_format="parquet").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
