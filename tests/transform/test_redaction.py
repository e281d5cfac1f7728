"""No secret leaves: unique secrets in each place that a document can carry one, and none found in any cell."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from documents import compact, everything, job, only_row, rows, run_transform
from hypothesis import given
from hypothesis import strategies as st

from etl import scrub
from etl.jsontext import decode
from etl.transform.redact import redact, redacted_json

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9Oi\nVQIDAQABAoIBAQCJ\n"
    "-----END RSA PRIVATE KEY-----"
)


def test_a_secret_in_any_place_of_a_configuration_reaches_no_cell() -> None:
    secrets = {
        "flagged": {"sensitive": True, "value": "S1-flagged-secret"},
        "password": {"value": "S2-named-secret"},
        "account": {"value": "S3-unflagged/secret=="},
        "host": {"value": "mongodb://ana:S4-url-pass@db.example.org/x?ssl=S4-query"},
        "pin_code": {"value": 4711471147},
        "nested": {"value": {"deep": [{"token": "S5-nested-secret"}]}},
        "listed": {"value": ["S6-list-one-1", "S6-list-two-2"]},
        "default": {"value": None, "default_value": "S7-default-secret"},
        "choice": {"value": True, "options": [{"label": "A", "value": "S8-option-secret", "note": "S8-note"}]},
        "conditional": {"value": 1, "depends_on": [{"field": "x", "value": "S9-depends-secret"}]},
        "validated": {"value": 1, "validations": [{"type": "regex", "constraint": ["S10-constraint"]}]},
        "unknown": {"value": 1, "hint": "S11-unknown-key", "more": {"inner": "S11-inner"}},
        "scalar_entry": "S12-scalar-entry",
        "list_entry": ["S13-list-entry"],
        "service_account": {"value": json.dumps({"private_key": PEM, "client_email": "S14@x.iam"})},
        "label_is_object": {"label": {"x": "S15-label-object"}, "order": "S15-order-text"},
        "ui": {"ui_restrictions": [{"x": "S16-restriction"}], "required": "S16-required"},
        "Übung": {"value": "S17-ünïcode-secret"},
    }
    result = run_transform(job(connector={"configuration": secrets}), exposed=["flagged", "password"])

    found = everything(result)
    assert [name for name in ("S" + str(n) for n in range(1, 18)) if f"{name}-" in found] == []
    assert "4711471147" not in found
    assert "MIIEowIBAAKCAQEA" not in found
    assert result.refused_fields == {"flagged", "password"}
    by_field = {row["field"]: row for row in rows(result, "connector_configuration")}
    assert len(by_field) == len(secrets)
    assert all(row["is_redacted"] for row in by_field.values())
    assert by_field["choice"]["options_json"] == (
        '[{"label":"A","value":{"__etl_redacted__":"string"},"note":{"__etl_redacted__":"string"}}]'
    )
    assert by_field["pin_code"]["value_type"] == "integer"
    assert by_field["default"]["default_value_json"] is None


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("top level", lambda c: {**job(), "configuration": c}),
        ("dotted key", lambda c: {**job(), "connector.configuration": c}),
        ("dotted path", lambda c: {**job(), "connector.configuration.pw.value": c["pw"]["value"]}),
        ("metadata", lambda c: job(metadata={"configuration": c})),
        ("unknown object", lambda c: job(snapshot={"connector": {"configuration": c}})),
        ("plural", lambda c: job(connector={"previous_configurations": [c]})),
        ("cursor", lambda c: job(connector={"sync_cursor": {"Configuration": c}})),
        ("a configuration that is a list", lambda c: job(connector={"configuration": [c]})),
        ("a configuration that is a text", lambda c: job(connector={"configuration": c["pw"]["value"]})),
    ],
)
def test_a_configuration_is_recognised_wherever_it_stands(place: str, value: Any) -> None:
    result = run_transform(value({"pw": {"value": "S-unmistakable-1"}}))

    assert "S-unmistakable-1" not in everything(result), place


def test_what_was_withheld_is_masked_in_all_free_text_and_in_every_spelling() -> None:
    secret = 'p"ä/s+s word9'
    document = job(
        error=f"Boom: {secret} and {quote(secret)} and {json.dumps(secret)} rejected",
        metadata={"note": [f"x{secret}"], secret: 1},
        extra={"dump": json.dumps({"pw": secret})},
        connector={
            "configuration": {"f": {"sensitive": True, "value": secret}},
            "sync_cursor": {"c": secret},
            "filtering": {
                "advanced_snippet": {"value": {"q": secret}},
                "rules": [],
                "validation": {"state": "invalid", "errors": [{"ids": [], "messages": [f"bad {secret}"]}]},
            },
        },
    )

    result = run_transform(document)

    found = everything(result)
    for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(json.dumps(secret)[1:-1])):
        assert spelling not in found
    assert only_row(result, "sync_jobs")["error"].startswith("Boom: [redacted] and ")
    assert only_row(result, "connectors")["sync_cursor_json"] == '{"c":"[redacted]"}'
    assert only_row(result, "filtering_validation_errors")["messages"] == ["bad [redacted]"]


def test_a_numeric_secret_is_masked_as_number_and_as_text() -> None:
    document = job(
        error="code 90210 refused, 902101 not",
        metadata={"n": 90210, "other": 902101},
        indexed_document_count=90210,
        connector={"configuration": {"secret_code": {"value": 90210}}},
    )

    row = only_row(run_transform(document), "sync_jobs")

    assert row["error"] == "code [redacted] refused, 902101 not"
    assert row["metadata_json"] == '{"n":"[redacted]","other":902101}'
    assert row["indexed_document_count"] == 90210


def test_masks_never_touch_typed_columns() -> None:
    document = job(
        worker_hostname="worker-same-1",
        connector={"index_name": "worker-same-1", "configuration": {"f": {"value": "worker-same-1"}}},
    )

    result = run_transform(document)

    assert only_row(result, "sync_jobs")["worker_hostname"] == "worker-same-1"
    assert only_row(result, "connectors")["index_name"] == "worker-same-1"


def test_plain_words_hosts_paths_and_urls_are_withheld_but_not_masked_elsewhere() -> None:
    values = ["collection", "db.example.org:27017", "/var/data/files", "https://example.org/path", "1234567890"]
    configuration = {f"f{n}": {"value": value} for n, value in enumerate(values)}
    document = job(error=" ".join(values), connector={"configuration": configuration})

    result = run_transform(document)

    assert only_row(result, "sync_jobs")["error"] == " ".join(values)
    assert all(row["value"] is None for row in rows(result, "connector_configuration"))


def test_an_exposed_field_is_shown_but_the_secrets_inside_it_are_masked() -> None:
    configuration = {"host": {"label": "Host", "value": "mongodb://u:pw9pw9@h/x", "default_value": "localhost"}}

    result = run_transform(job(connector={"configuration": configuration}), exposed=["host"])

    row = only_row(result, "connector_configuration")
    assert (row["value"], row["default_value_json"], row["is_redacted"]) == (
        "mongodb://[redacted]@h/x",
        '"localhost"',
        False,
    )


@pytest.mark.parametrize("flag", [True, "true", 1, "yes", [1], {"a": 1}])
def test_any_affirmative_flag_counts(flag: Any) -> None:
    document = job(connector={"configuration": {"f": {"sensitive": flag, "value": 12345}}})

    assert only_row(run_transform(document, exposed=["f"]), "connector_configuration")["value_json"] is None


def test_booleans_numbers_and_nulls_are_shown_where_no_secret_is_suspected() -> None:
    configuration = {
        "a": {"value": True}, "b": {"value": 1.5}, "c": {"value": None}, "d": {"value": 3, "default_value": False},
    }  # fmt: skip

    found = rows(run_transform(job(connector={"configuration": configuration})), "connector_configuration")

    assert [(row["value"], row["value_type"], row["is_redacted"]) for row in found] == [
        ("true", "boolean", False), ("1.5", "number", False), (None, "null", False), ("3", "integer", False),
    ]  # fmt: skip


def test_a_secret_under_a_repeated_key_is_withheld_too() -> None:
    raw = compact(job(connector={"configuration": {"pw": {"value": "@"}}, "sync_cursor": {"c": "x-@-y"}}))
    raw = raw.replace(b'"value":"@"', b'"value":"S-first-1","value":"S-second-2"')
    raw = raw.replace(b'"x-@-y"', b'"seen S-first-1"')

    found = everything(run_transform(raw))

    assert "S-first" not in found
    assert "S-second" not in found


def test_an_object_that_only_looks_like_a_marker_is_withheld() -> None:
    configuration = {"f": {"value": {"__etl_redacted__": "S-sneaky-1"}}}

    assert "S-sneaky-1" not in everything(run_transform(job(connector={"configuration": configuration})))


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("GET https://u:p@h:9200/x failed", "GET https://[redacted]@h:9200/x failed"),
        ("https://user:p@ss@h/x", "https://[redacted]@h/x"),
        ("postgres://u:pa/ss@h/db", "postgres://[redacted]@h/db"),
        ("https://h:8080/a@b", "https://h:8080/a@b"),
        ("https://h/d?token=abc&x=1#f=2", "https://h/d?token=[redacted]&x=[redacted]#f=[redacted]"),
        ("mongodb+srv://u@h", "mongodb+srv://[redacted]@h"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ("sent ApiKey dGVzdDp0ZXN0 to", "sent ApiKey [redacted] to"),
        ("Basic authentication failed", "Basic authentication failed"),
        ("password=hunter2;db=x", "password=[redacted];db=x"),
        ("password=&oIFfdh57 port=5432", "password=[redacted] port=5432"),
        ("password=Aq&5LuF!Ge port=5432", "password=[redacted] port=5432"),
        ('{"client_secret": "a\\"b c", "x": 1}', '{"client_secret": "[redacted]", "x": 1}'),
        ('"{\\"api_key\\":\\"abc def\\"}"', '"{\\"api_key\\":\\"[redacted]\\"}"'),
        ("delta(token='a b')", "delta(token='[redacted]')"),
        ("InvalidTokenError: it expired", "InvalidTokenError: it expired"),
        (PEM, "[redacted]"),
        (PEM[:60], "[redacted]"),
        ("id AKIAIOSFODNN7EXAMPLE used", "id [redacted] used"),
        ("jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxw end", "jwt [redacted] end"),
        ("plain text: nothing = here", "plain text: nothing = here"),
        ('password="cut off in the mid', 'password="[redacted]'),
        ('{:password=>"abc"}', '{:password=>"[redacted]"}'),
        ("password=b'abc' user=u", "password=b'[redacted]' user=u"),
        ("SecretStr: password=SecretStr('abc'), user='u'", "SecretStr: password=[redacted], user='u'"),
        ('password: ["abc"]', "password: [redacted]"),
        ("('password', 'abc')", "('password', '[redacted]')"),
        ("password='it''s' user", "password='[redacted]' user"),
        ("<password>abc</password>", "<password>[redacted]</password>"),
        ("run --password abc --user u", "run --password [redacted] --user u"),
        ("secret_value=abc, token_id: abc", "secret_value=[redacted], token_id: [redacted]"),
        (
            "pw=abc pass=abc X-Auth: abc passcode=abc",
            "pw=[redacted] pass=[redacted] X-Auth: [redacted] passcode=[redacted]",
        ),
        ("compass=north", "compass=north"),
        ("postgres://u:it's<odd>@h/db", "postgres://[redacted]@h/db"),
        ("https:\\/\\/u:abc@h", "https:\\/\\/[redacted]@h"),
        ("at https%3A%2F%2Fu%3Aabc%40h", "at https%3A%2F%2F[redacted]%40h"),
        ("jdbc:oracle:thin:scott/tiger@db", "jdbc:oracle:thin:[redacted]@db"),
        ("GET /path?code=abc&x=1 HTTP/1.1", "GET /path?code=[redacted]&x=[redacted] HTTP/1.1"),
        ("Cookie: a=b; sid=abc", "Cookie: [redacted]"),
        ('Authorization: Digest username="a", response="b"', "Authorization: Digest [redacted]"),
        ('{"u":"http://a:80","m":"x@y.org"}', '{"u":"http://a:80","m":"x@y.org"}'),
        ("password\uff1aabc", "password\uff1a[redacted]"),
    ],
)
def test_text_is_masked_by_what_it_looks_like(text: str, masked: str) -> None:
    assert scrub.text(text) == masked
    assert scrub.text(masked) == masked


@pytest.mark.parametrize(
    "piece", ["a", "://", "password", "eyJ", 'key="', "x=", "-----BEGIN PRIVATE KEY-----", "://a:"]
)
def test_masking_reads_a_long_text_in_linear_steps(piece: str) -> None:
    # A pattern that backtracks would not end within the suite's patience on 300 kB.
    assert isinstance(scrub.text(piece * (300_000 // len(piece))), str)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["https://u:p@h?q=1", "password=abc", "Bearer abcdefgh", "[redacted]", "hunter2-hunter2", "1"]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=5)
        | st.sampled_from(
            ["id", "connector", "configuration", "filtering", "rules", "value", "sensitive", "password", "metadata",
             "error", "sync_cursor", "options", "default_value", "connector.configuration", "__etl_redacted__"]
        ),
        inner,
        max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@given(JSON)
def test_redacting_a_redacted_document_changes_nothing(document: Any) -> None:
    once = redact(document).document

    assert redact(once).document == once


@given(JSON)
def test_an_answer_that_is_no_sync_job_is_kept_redacted_as_json(document: Any) -> None:
    once = decode(redacted_json(document).encode())

    assert redact(once, plain_columns=False).document == once


def test_a_shown_number_that_equals_a_secret_stays_and_redacting_again_changes_nothing() -> None:
    document = job(
        id="eyJabcdefgh.ijklmnopq.r",
        connector={"configuration": {"port": {"value": 5432}, "token": {"value": 5432}, "n": 5432}},
    )

    once = redact(document).document
    fields = {row["field"]: row["value"] for row in rows(run_transform(document), "connector_configuration")}

    assert redact(once).document == once
    assert fields == {"port": "5432", "token": None, "n": "5432"}
    assert rows(run_transform(document), "field_issues") == []
