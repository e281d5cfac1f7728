"""Status and body to a verdict: every known answer, classified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from etl import scrub
from etl.errors import EtlError, RefusedError, UnreachableError
from etl.extract.answers import Verdict, judge, judge_error
from etl.extract.reasons import MAX_REASON, one_line
from etl.extract.refusals import Asker, missing_privilege
from etl.extract.wire import NoAnswerError, Response, TooLargeError
from etl.model import AnswerKind

ERRORS = Path(__file__).parent / "errors"
WHO = Asker(url="https://es.example:9200", sent="the API key", given_as="ES_API_KEY", mask=scrub.text)


def ask(
    status: int, body: Any, job_id: str = "a", *, who: Asker = WHO, headers: dict[str, str] | None = None
) -> Verdict:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return judge(job_id, Response(status=status, headers=CaseInsensitiveDict(headers or {}), body=encoded), who)


def envelope(kind: str, reason: str | None) -> dict[str, Any]:
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": 0}


SAMPLES: list[tuple[str, int, AnswerKind, bool, type[EtlError] | None, str]] = [
    ("400-invalid-status", 400, AnswerKind.FAILED, False, None, "400: illegal_argument_exception: Unknown SyncStatus"),
    ("400-old-es-no-handler", 400, AnswerKind.FAILED, False, UnreachableError, "Elasticsearch 8.12"),
    ("400-result-window", 400, AnswerKind.FAILED, False, None, "(illegal_argument_exception: Result window is too"),
    ("401-missing-credentials", 401, AnswerKind.FAILED, False, RefusedError, "refuses the API key"),
    ("403-missing-privilege-9x", 403, AnswerKind.FAILED, False, RefusedError, "cluster privilege monitor_connector"),
    ("404-missing-doc", 404, AnswerKind.NOT_FOUND, False, None, ""),
    ("404-missing-index", 404, AnswerKind.FAILED, False, UnreachableError, "has no index of connector sync jobs"),
    ("429-circuit-breaker", 429, AnswerKind.FAILED, True, None, "429: circuit_breaking_exception: [parent] Data too"),
    ("503-no-shard", 503, AnswerKind.FAILED, True, None, "all shards failed (no_shard_available_action_exception)"),
    ("cloud-edge-proxy", 404, AnswerKind.FAILED, False, UnreachableError, "check ELASTICSEARCH_URL"),
]


@pytest.mark.parametrize(("name", "status", "kind", "again", "fatal", "said"), SAMPLES, ids=[row[0] for row in SAMPLES])
def test_each_known_error_has_its_verdict(
    name: str, *, status: int, kind: AnswerKind, again: bool, fatal: type[EtlError] | None, said: str
) -> None:
    verdict = ask(status, (ERRORS / f"{name}.json").read_bytes(), "my-connector-sync-job")
    assert (verdict.kind, verdict.status, verdict.again) == (kind, status, again)
    assert type(verdict.fatal) is (type(None) if fatal is None else fatal)
    assert said in (verdict.reason or "")
    assert said in str(verdict.fatal or verdict.reason or "")


def test_no_known_error_is_left_out() -> None:
    assert {row[0] for row in SAMPLES} == {path.stem for path in ERRORS.glob("*.json")}


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"a","status":"completed"}',
        b' {"status" : "completed", "id" : "a"} ',
        b'{"id":"a","id":"stored"}',
        b'{"id":"stored","id":"a"}',
        b'{"id":"\\u0061"}',
        b'{"id":"a","error":"\xff"}',
        b'\xef\xbb\xbf{"id":"a"}',
        b'{"id":"a","results":[]}',
    ],
)
def test_an_object_with_the_requested_id_is_the_document_byte_for_byte(body: bytes) -> None:
    verdict = ask(200, body)
    assert (verdict.kind, verdict.body, verdict.reason, verdict.again) == (AnswerKind.DOCUMENT, body, None, False)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"<html>502</html>", "no JSON"),
        (b'{"id":"a"', "no JSON"),
        (b'["a"]', "no JSON object"),
        (b"null", "no JSON object"),
        (b"{}", "no id in it"),
        (b'{"id":null}', "another id's answer: null"),
        (b'{"id":"b"}', 'another id\'s answer: "b"'),
        (b'{"id":"A"}', "another id's answer"),
        (b'{"id":["a"]}', "another id's answer"),
        (b'{"id":{"id":"a"}}', "another id's answer"),
        (b'{"id":"b","id":"c"}', "another id's answer"),
        (b'{"count":10000,"results":[{"id":"a"}]}', "a list of sync jobs"),
        (b'{"_source":{"id":"a"}}', "no id in it"),
        (b'{"id":"a","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "deeper"),  # than any Python reads by itself
    ],
)
def test_a_200_that_is_not_the_job_asked_for_is_asked_again_and_then_rejected(body: bytes, said: str) -> None:
    verdict = ask(200, body)
    assert (verdict.kind, verdict.again, verdict.fatal) == (AnswerKind.REJECTED, True, None)
    assert verdict.body == body
    assert said in (verdict.reason or "")


def test_a_number_is_not_the_id_that_looks_like_it() -> None:
    assert ask(200, b'{"id":7}', "7").kind is AnswerKind.REJECTED
    assert ask(200, b'{"id":"7"}', "7").kind is AnswerKind.DOCUMENT


def test_an_id_that_reads_like_a_sentence_may_be_missing_too() -> None:
    sentence = "connector sync job [a] not found"
    assert ask(404, envelope("resource_not_found_exception", sentence), sentence).kind is AnswerKind.NOT_FOUND


def test_a_missing_document_may_be_worded_anew() -> None:
    assert ask(404, envelope("resource_not_found_exception", "no job a")).kind is AnswerKind.NOT_FOUND


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not here</html>",
        {"ok": False, "message": "Unknown resource."},
        {"message": "no Route matched with those values"},
        envelope("index_not_found_exception", "no such index [.elastic-connectors-sync-jobs]"),
        {"error": "no handler found for uri [/x] and method [GET]", "status": 404},
        ["resource_not_found_exception"],
    ],
)
def test_any_other_404_says_that_address_or_version_is_wrong(body: Any) -> None:
    verdict = ask(404, body, headers={"X-elastic-product": "Elasticsearch"})
    assert isinstance(verdict.fatal, UnreachableError)
    assert "https://es.example:9200" in str(verdict.fatal)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("body", [b"", b"<html>", b"null", envelope("security_exception", "x")])
def test_what_passes_is_asked_again_whatever_its_body(status: int, body: Any) -> None:
    verdict = ask(status, body, headers={"retry-after": "7"})
    assert (verdict.kind, verdict.again, verdict.fatal, verdict.retry_after) == (AnswerKind.FAILED, True, None, "7")
    assert (verdict.reason or "").startswith(f"{status}: ")


@pytest.mark.parametrize("status", [201, 204, 206, 400, 405, 408, 410, 413, 418, 451, 500, 501, 507, 599])
def test_any_other_status_fails_its_id_at_once(status: int) -> None:
    verdict = ask(status, envelope("some_exception", "why"))
    assert (verdict.kind, verdict.again, verdict.fatal) == (AnswerKind.FAILED, False, None)
    assert verdict.reason == f"{status}: some_exception: why"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_its_target_without_userinfo_or_query(status: int) -> None:
    verdict = ask(status, b"", headers={"Location": "https://me:hunter22@new.example/es?token=abcdef123456#x"})
    assert isinstance(verdict.fatal, UnreachableError)
    assert "to https://new.example/es: give the final address" in str(verdict.fatal)
    assert "hunter22" not in f"{verdict}"
    assert "abcdef123456" not in f"{verdict}"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Location": "/login"}, "https://es.example:9200/login"),
        ({"Location": "//other/x"}, "https://other/x"),
        ({"Location": "http://[bad"}, "to no URL"),
        ({}, "without a target"),
    ],
)
def test_a_redirect_of_any_form_ends_the_run(headers: dict[str, str], said: str) -> None:
    verdict = ask(302, b"", headers=headers)
    assert isinstance(verdict.fatal, UnreachableError)
    assert said in str(verdict.fatal)


@pytest.mark.parametrize("sent", ["the API key", "user 'ana' with a password", "a request without credentials"])
def test_refused_credentials_are_named_by_kind(sent: str) -> None:
    verdict = ask(401, b"<html>", who=Asker(url="http://x", sent=sent, given_as="ES_API_KEY", mask=scrub.text))
    assert isinstance(verdict.fatal, RefusedError)
    assert f"http://x refuses {sent}" in str(verdict.fatal)


@pytest.mark.parametrize(
    ("reason", "version", "privilege"),
    [
        (
            "granted by the cluster privileges [monitor_connector,manage,all]",
            "8.12.0",
            "cluster privilege monitor_connector",
        ),
        ("granted by the cluster privileges [manage]", None, "cluster privilege manage"),
        (
            "action [x] is unauthorized on indices [.x-v1], granted by the index privileges [read,all]",
            None,
            "index privilege read on .x-v1",
        ),
        (
            "granted by the index privileges [read,all]",
            None,
            "index privilege read on .elastic-connectors-sync-jobs-v1",
        ),
        ("unauthorized", "9.4.0", "cluster privilege monitor_connector"),
        ("unauthorized", "10.0.0", "cluster privilege monitor_connector"),
        ("unauthorized", "8.13.0", "index privilege read on .elastic-connectors-sync-jobs-v1"),
        ("unauthorized", "8.19.7", "index privilege read on .elastic-connectors-sync-jobs-v1"),
        ("unauthorized", "8.12.2", "cluster privilege manage"),
    ],
)
def test_the_missing_privilege_is_named_as_the_cluster_or_its_version_says(
    reason: str, version: str | None, privilege: str
) -> None:
    who = Asker(url="http://x", sent="the API key", given_as="ES_API_KEY", mask=scrub.text, version=version)
    verdict = ask(403, envelope("security_exception", reason), who=who)
    assert isinstance(verdict.fatal, RefusedError)
    assert f"the API key needs the {privilege} (403: " in str(verdict.fatal)


@pytest.mark.parametrize("version", [None, "", "serverless", "7.17.0"])
def test_without_a_version_that_decides_every_privilege_is_named(version: str | None) -> None:
    said = missing_privilege("unauthorized", version)
    assert "monitor_connector (from 9.0)" in said
    assert "read on .elastic-connectors-sync-jobs-v1 (from 8.13)" in said
    assert "manage (from 8.12)" in said


def test_a_403_in_another_form_blames_no_privilege() -> None:
    verdict = ask(403, b"<html>blocked</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    assert isinstance(verdict.fatal, RefusedError)
    assert "proxy or firewall" in str(verdict.fatal)
    assert "text/html" in str(verdict.fatal)


def test_a_proxy_that_refuses_its_credentials_ends_the_run() -> None:
    assert isinstance(ask(407, b"").fatal, RefusedError)


@pytest.mark.parametrize(
    ("error", "status", "again", "is_fatal"),
    [
        (NoAnswerError("x: no answer"), None, True, False),
        (NoAnswerError("x: cut off", 200), 200, True, False),
        (TooLargeError("x: too large", 200), 200, False, False),
        (UnreachableError("x: certificate"), None, False, True),
        (RefusedError("x: proxy"), None, False, True),
    ],
)
def test_what_stands_in_the_place_of_an_answer_has_a_verdict(
    error: EtlError, *, status: int | None, again: bool, is_fatal: bool
) -> None:
    verdict = judge_error(error, WHO)
    assert (verdict.kind, verdict.status, verdict.again) == (AnswerKind.FAILED, status, again)
    assert verdict.reason == str(error)
    assert (verdict.fatal is error) is is_fatal


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":',
        b"[]",
        {"error": None},
        {"error": 7},
        {"error": {"type": 7, "reason": ["x"], "root_cause": "x"}},
        {"error": {"root_cause": [None]}},
        {"error": {"root_cause": []}},
    ],
)
def test_an_error_of_no_known_form_still_gives_a_reason(body: Any) -> None:
    assert "400: no error of Elasticsearch in the answer (no content type" in (ask(400, body).reason or "")


def test_a_reason_is_one_masked_line_of_bounded_length() -> None:
    reason = "a\nb\r\x00 password=hunter22 " + "x" * 100_000
    said = ask(500, envelope("t", reason)).reason or ""
    assert said.startswith("500: t: a b \ufffd password=[redacted] xxx")
    assert said.endswith("...")
    assert len(said) == MAX_REASON


def test_a_secret_at_the_cut_is_masked_before_the_cut() -> None:
    text = "x" * (MAX_REASON - 20) + " password=hunter22hunter22"
    assert "hunter" not in one_line(text, scrub.text)


def test_a_long_foreign_id_is_shortened_in_the_reason() -> None:
    assert len(ask(200, {"id": "b" * 10_000}).reason or "") == MAX_REASON
