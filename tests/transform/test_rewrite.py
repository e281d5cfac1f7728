"""Published rows redacted again are what the stricter rules would have published."""

from __future__ import annotations

import pytest
from documents import everything, job, rows, run_transform
from hypothesis import given
from hypothesis import strategies as st

from etl.schema.arrow import arrow_schema
from etl.transform.rewrite import redact_rows

CONFIGURATION = {
    "host": {"label": "Host", "order": 1, "value": "S-host-visible-1", "tooltip": "t", "default_value": "S-default-1",
             "options": [{"label": "A", "value": "S-option-1"}], "hint": "S-extra-1"},
    "port": {"label": "Port", "value": 9200, "type": "int"},
    "password": {"label": "Password", "sensitive": True, "value": "S-password-1"},
    "empty": None,
    "stub": {"label": "S", "type": "category"},
    "null": {"value": None},
}  # fmt: skip
DOCUMENTS = [
    job(id="a", error="cannot reach S-host-visible-1", connector={"configuration": CONFIGURATION}),
    job(id="b", error="S-host-visible-1 is another job's", metadata={"x": [1]}),
    job(id="c", connector={"configuration": {"host": {"label": ["S-issue-1"], "value": "S-host-visible-2"}}}),
]


@pytest.mark.parametrize("now_exposed", [[], ["host"]])
def test_rows_equal_those_that_the_narrower_rules_give(now_exposed: list[str]) -> None:
    before = run_transform(*DOCUMENTS, exposed=["host"])
    expected = run_transform(*DOCUMENTS, exposed=now_exposed)

    again = redact_rows(before.tables, frozenset(now_exposed))

    for name, table in again.items():
        assert table.schema.equals(arrow_schema(name), check_metadata=True)
        assert table.to_pylist() == expected.tables[name].to_pylist(), name


def test_what_was_exposed_is_masked_in_the_texts_of_its_own_job_alone() -> None:
    before = run_transform(*DOCUMENTS, exposed=["host"])
    assert "S-host-visible-1" in everything(before)

    again = redact_rows(before.tables, frozenset())

    errors = {row["job_id"]: row["error"] for row in again["sync_jobs"].to_pylist()}
    assert errors == {"a": "cannot reach [redacted]", "b": "S-host-visible-1 is another job's", "c": None}


def test_what_was_withheld_stays_withheld() -> None:
    before = run_transform(*DOCUMENTS)

    again = redact_rows(before.tables, frozenset({"host"}))

    assert {name: table.to_pylist() for name, table in again.items()} == {name: rows(before, name) for name in again}


@given(
    st.dictionaries(
        st.sampled_from(["host", "token", "x"]),
        st.fixed_dictionaries(
            {},
            optional={
                "value": st.none()
                | st.integers(0, 9)
                | st.text(max_size=12)
                | st.lists(st.text(max_size=9), max_size=2),
                "default_value": st.none() | st.booleans() | st.text(max_size=12),
                "sensitive": st.booleans(),
                "label": st.text(max_size=5),
                "options": st.lists(st.fixed_dictionaries({"label": st.text(max_size=3), "value": st.text()})),
                "more": st.integers(0, 9) | st.text(max_size=4),
            },
        ),
    ),
    st.text(max_size=30),
)
def test_rewriting_is_redacting_for_any_configuration(configuration: dict[str, object], error: str) -> None:
    document = job(error=error, connector={"configuration": configuration})

    again = redact_rows(run_transform(document, exposed=["host", "x"]).tables, frozenset())

    expected = run_transform(document)
    for name, table in again.items():
        assert table.to_pylist() == rows(expected, name)
