"""`etl doctor` at the command line: its lines, its JSON, its exit code, and what is wrong before anything is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from commands import etl
from documents import job
from examinations import SECRET, assert_wrong, detail, examined, of, states

from etl.sandbox.settings import FULL_KEY, POOR_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench


def test_all_is_well(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    bench.run()

    ended = of(bench)

    assert (ended.code, ended.err) == (0, "")
    assert set(states(ended).values()) == {"ok", "skipped"}
    assert ended.summary["sound"] is True
    assert sum(ended.summary["counts"].values()) == len(ended.summary["checks"])
    assert "may be read" in detail(ended, "index")
    assert "1 jobs, 1 connectors; job a was read" in detail(ended, "list")
    assert "[redacted]" not in ended.out


def test_lines_for_people_and_none_when_quiet(make: MakeBench) -> None:
    bench = make({"a": job(id="a")})
    env = {"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded}
    output = ["--output", str(bench.output)]

    told = etl("doctor", *output, env=env).out.splitlines()
    quiet = etl("doctor", "-q", *output, env=env)
    ill = etl("doctor", "-q", *output, env=env | {"ELASTICSEARCH_API_KEY": POOR_KEY.encoded})

    assert "ok       connection   127.0.0.1:" in "\n".join(told)
    assert told[-1].startswith("14 checks: ")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    assert ill.code == 5
    assert [line.split()[:2] for line in ill.out.splitlines()] == [["wrong", "privilege"]]


def test_no_address_and_the_output_is_looked_at_all_the_same(tmp_path: Path) -> None:
    ended = examined("", tmp_path / "out")

    assert_wrong(ended, "address", "set ELASTICSEARCH_URL")
    assert states(ended)["output"] == "ok"
    assert detail(ended, "index") == "address is wrong: mend that first"


@pytest.mark.parametrize(
    ("url", "said"),
    [("localhost:9200", "no http(s) URL"), ("http://es.example.org:9200", "unencrypted to es.example.org"),
     ("https://127.0.0.1:1/?a=b", "query or a fragment")],
)  # fmt: skip
def test_an_address_that_a_run_would_refuse(tmp_path: Path, url: str, said: str) -> None:
    assert_wrong(examined(url, tmp_path), "address", said)


def test_certificates_that_cannot_be_read_and_two_kinds_of_credentials_are_matters_of_the_address(
    tmp_path: Path,
) -> None:
    (tmp_path / "ca.pem").write_text("none")
    unread = examined("https://127.0.0.1:1", tmp_path, ELASTICSEARCH_CA_CERTS=str(tmp_path / "ca.pem"))
    both = examined("https://127.0.0.1:1", tmp_path, ELASTICSEARCH_USERNAME="u", ELASTICSEARCH_PASSWORD=SECRET)

    assert_wrong(unread, "address", "no certificates can be read")
    assert_wrong(both, "address", "both an API key (ELASTICSEARCH_API_KEY) and a user")
    assert SECRET not in both.out


def test_no_secret_is_in_any_form_of_the_diagnosis(make: MakeBench) -> None:
    bench = make({"a": job(id="a", error=f"password={SECRET}")})
    told = [of(bench).out, of(bench, ELASTICSEARCH_API_KEY=f"id:{SECRET}").out]
    told.append(etl("doctor", env={"ELASTICSEARCH_URL": bench.sandbox.url, "ELASTICSEARCH_API_KEY": f"i:{SECRET}",
                                   "ETL_OUTPUT": str(bench.output)}).out)  # fmt: skip

    assert not [text for text in told if SECRET in text or FULL_KEY.encoded in text or FULL_KEY.secret in text]
    assert json.loads(told[0])["sound"] is True
