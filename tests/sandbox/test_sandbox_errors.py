"""The errors of Elasticsearch, body for body."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.sandbox.faults import Faults
from etl.sandbox.identity import MISSING_FROM, id_of
from etl.sandbox.settings import POOR_KEY

ANY_JOB = f"/_connector/_sync_job/{id_of(0)}"


def equal(sent: Any, kept: Any) -> bool:
    """Compare bodies; a text that was kept with "..." at its end is only known as far as there."""
    if isinstance(kept, dict):
        return isinstance(sent, dict) and sent.keys() == kept.keys() and all(equal(sent[k], kept[k]) for k in kept)
    if isinstance(kept, list):
        return isinstance(sent, list) and len(sent) == len(kept) and all(map(equal, sent, kept))
    if isinstance(kept, str) and kept.endswith("..."):
        return isinstance(sent, str) and sent.startswith(kept.removesuffix("...").rstrip())
    return bool(sent == kept)


CASES: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "400-invalid-status": ({}, "/_connector/_sync_job?status=invalid_job_status", None),
    "400-old-es-no-handler": ({"version": "8.11.0"}, "/_connector/_sync_job/x", None),
    "400-result-window": ({}, "/_connector/_sync_job?from=10000&size=100", None),
    "403-missing-privilege-9x": ({}, ANY_JOB, POOR_KEY.encoded),
    "404-missing-doc": ({}, "/_connector/_sync_job/my-connector-sync-job", None),
    "404-missing-index": ({"has_index": False}, "/_connector/_sync_job/my-connector-sync-job", None),
    "429-circuit-breaker": ({"faults": Faults(too_many=1.0)}, ANY_JOB, None),
    "503-no-shard": ({"faults": Faults(unavailable=1.0)}, ANY_JOB, None),
    "cloud-edge-proxy": ({"faults": Faults(edge_proxy=1.0)}, ANY_JOB, None),
}


@pytest.mark.parametrize("name", CASES)
def test_an_error_body_is_the_one_that_elasticsearch_sends(
    launch: Any, client: Any, error_body: Any, name: str
) -> None:
    settings, path, key = CASES[name]
    answer = client.get(launch(**settings), path, key=key)
    kept = error_body(name)
    assert answer.status_code == (404 if name == "cloud-edge-proxy" else int(name[:3]))
    assert equal(answer.json(), kept), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert ("X-elastic-product" in answer.headers) == (name != "cloud-edge-proxy")


def test_missing_credentials_are_refused_with_the_schemes_in_body_and_headers(
    launch: Any, client: Any, error_body: Any
) -> None:
    answer = client.session.get(launch().url + "/_connector/_sync_job/x", timeout=30)
    assert answer.status_code == 401
    assert answer.json() == error_body("401-missing-credentials")
    schemes = answer.raw.headers.getlist("WWW-Authenticate")
    assert schemes == answer.json()["error"]["header"]["WWW-Authenticate"]


def test_every_kept_error_body_is_compared() -> None:
    kept = {file.stem for file in (Path(__file__).parent / "error_bodies").glob("*.json")}
    assert kept == CASES.keys() | {"401-missing-credentials"}


@pytest.mark.parametrize(
    "header", ["ApiKey bm90OmtleQ==", "ApiKey ???", "Basic ZWxhc3RpYzpiYWQ=", "Basic !", "Bearer dG9rZW4="]
)
def test_wrong_credentials_are_refused_and_never_repeated(launch: Any, client: Any, header: str) -> None:
    answer = client.session.get(launch().url, headers={"Authorization": header}, timeout=30)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "security_exception"
    assert header.split(" ")[1] not in answer.text


def test_an_old_elasticsearch_knows_no_sync_jobs_but_its_root(launch: Any, client: Any) -> None:
    sandbox = launch(version="8.11.0")
    assert client.get(sandbox, "/").json()["version"]["number"] == "8.11.0"
    assert client.get(sandbox, "/_connector/_sync_job").status_code == 400
    assert sandbox.requests_by_route == {"GET /": 1}


def test_an_address_that_nobody_knows_has_a_string_as_error(launch: Any, client: Any) -> None:
    answer = client.get(launch(), "/_cat/nothing?v")
    assert answer.status_code == 400
    assert answer.json() == {"error": "no handler found for uri [/_cat/nothing?v] and method [GET]"}


def test_a_method_that_a_route_does_not_know_is_refused_with_those_it_knows(launch: Any, client: Any) -> None:
    sandbox = launch()
    headers = {"Authorization": f"ApiKey {sandbox.api_key}"}
    answer = client.session.post(sandbox.url + "/_connector/_sync_job/x", json={"a": 1}, headers=headers, timeout=30)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"
    assert client.get(sandbox, "/").status_code == 200


def test_an_unknown_parameter_is_refused_by_its_name(launch: Any, client: Any) -> None:
    answer = client.get(launch(), ANY_JOB + "?size=3")
    assert answer.status_code == 400
    assert "unrecognized parameter: [size]" in answer.json()["error"]["reason"]


def test_a_missing_job_is_named_by_its_id_alone(launch: Any, client: Any) -> None:
    missing = id_of(MISSING_FROM)
    assert client.job(launch(), missing).json()["error"]["reason"] == missing


def test_a_client_of_another_major_version_is_refused(launch: Any, client: Any) -> None:
    accept = {"Accept": "application/vnd.elasticsearch+json; compatible-with=9"}
    answer = client.get(launch(version="8.19.0"), "/", headers=accept)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "media_type_header_exception"
    answer = client.get(launch(version="9.1.0"), "/", headers=accept)
    assert answer.headers["content-type"] == "application/vnd.elasticsearch+json;compatible-with=9"
