"""The script that people write: requests, json_normalize, to_parquet.

    python script.py URL IDS_FILE FOLDER THREADS

It fetches by id through one session, one by one or in threads, keeps all documents, flattens them into tables with
pandas, and writes a Parquet file for each.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import requests
from requests.adapters import HTTPAdapter

_TIMES = ("created_at", "started_at", "completed_at", "cancelation_requested_at", "canceled_at", "last_seen")


def main() -> None:
    """Fetch, flatten, write."""
    url, ids_file, folder, threads = sys.argv[1:]
    ids = Path(ids_file).read_text().split()
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=int(threads)))

    def fetch(job_id: str) -> dict[str, Any]:
        answer = session.get(f"{url}/_connector/_sync_job/{job_id}", timeout=30)
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document

    if int(threads) == 1:
        documents = [fetch(job_id) for job_id in ids]
    else:
        with ThreadPoolExecutor(int(threads)) as pool:
            documents = list(pool.map(fetch, ids))
    for name, table in tables_of(documents).items():
        table.to_parquet(f"{folder}/{name}.parquet", compression="zstd", index=False)


def tables_of(documents: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """Flatten documents into tables that join on `job_id`."""
    connectors: list[Any] = []
    configuration: list[Any] = []
    filtering: list[Any] = []
    rules: list[Any] = []
    for document in documents:
        job_id = document["id"]
        connector = document.pop("connector", None)
        if connector is None:  # flat documents of old versions
            connector = {name: document.pop(name, None) for name in ("configuration", "filtering", "pipeline")}
        for field, options in (connector.pop("configuration", None) or {}).items():
            known = options if isinstance(options, dict) else {"value": options}
            configuration.append({"job_id": job_id, "field": field, **known})
        parts = connector.pop("filtering", None) or []
        for index, part in enumerate(parts if isinstance(parts, list) else [parts]):
            active = part.get("active", part)
            filtering.append({"job_id": job_id, "filtering_index": index, **active})
            rules += [{"job_id": job_id, "filtering_index": index, **rule} for rule in active.get("rules") or []]
        connectors.append({"job_id": job_id, **connector})
    tables = {
        "sync_jobs": pd.json_normalize(documents, sep="_", max_level=0).rename(columns={"id": "job_id"}),
        "connectors": pd.json_normalize(connectors, sep="_", max_level=1),
        "connector_configuration": pd.json_normalize(configuration, sep="_", max_level=0),
        "filtering": pd.json_normalize(filtering, sep="_", max_level=1).drop(columns="rules", errors="ignore"),
        "filtering_rules": pd.json_normalize(rules, sep="_", max_level=0),
    }
    for table in tables.values():
        for name in table.columns:
            if name in _TIMES:
                table[name] = pd.to_datetime(table[name], format="ISO8601", utc=True, errors="coerce")
            elif table[name].dtype == object:
                table[name] = table[name].map(_as_text, na_action="ignore")
    return tables


def _as_text(value: Any) -> str:  # noqa: ANN401 - a cell of any JSON
    return value if isinstance(value, str) else json.dumps(value)


if __name__ == "__main__":
    main()
