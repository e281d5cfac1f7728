"""Datasets to report on, made once and only read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from documents import job
from histories import publish_history
from reports import HOSTILE, run_over

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 jobs of 30 connectors in two years."""
    root = tmp_path_factory.mktemp("history") / "output"
    publish_history(root, jobs=5000)
    return root


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Jobs whose every text is an attempt to break out of the page."""
    documents = []
    for number, status in enumerate(["completed", "error", "in_progress"]):
        document = job(
            id=f"{HOSTILE}-{number}",
            status=status,
            error=f"Failed at {HOSTILE}" if status == "error" else None,
            job_type=HOSTILE,
            created_at=f"2026-10-0{number + 1}T10:00:00Z",
            connector={"id": HOSTILE, "index_name": HOSTILE, "service_type": f"{HOSTILE}-{number}"},
        )
        document[HOSTILE] = 1
        filtering = document["connector"]["filtering"]
        filtering["rules"].append(
            {"id": HOSTILE, "policy": HOSTILE, "field": HOSTILE, "rule": HOSTILE, "value": HOSTILE}
        )
        filtering["validation"] = {"state": HOSTILE, "errors": [{"ids": [HOSTILE], "messages": [HOSTILE]}]}
        filtering["advanced_snippet"]["value"] = {HOSTILE: HOSTILE}
        documents.append(document)
    return run_over(tmp_path_factory.mktemp("hostile"), documents)
