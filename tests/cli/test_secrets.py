"""No secret leaves: planted ones are looked for in every byte of every file, line and message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from documents import job

from etl.sandbox.access import ApiKey
from etl.sandbox.faults import Faults

if TYPE_CHECKING:
    from pathlib import Path

    from benches import MakeBench

PEM_BODY = "MIIEowIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9Oi"
PEM = f"-----BEGIN PRIVATE KEY-----\n{PEM_BODY}\n-----END PRIVATE KEY-----\n"
PLANTED = {
    "flagged": "Pl4nted-flagged-01",
    "unflagged": "Pl4nted-unflagged-02",
    "numeric": "84712990031",
    "connection string": "Pl4nted-in-url-03",
    "nested": "Pl4nted-nested-04",
    "default": "Pl4nted-default-05",
    "option": "Pl4nted-option-06",
    "error url": "Pl4nted-error-url-07",
    "delta link": "Pl4nted-delta-08",
    "bearer": "Pl4nted.bearer-09",
    "private key": PEM_BODY,
    "parameter": "Pl4nted-parameter-10",
    "dotted": "Pl4nted-dotted-11",
    "metadata name": "Pl4nted-metadata-12",
    "list": "Pl4nted-list-13",
    "depends": "Pl4nted-depends-14",
    "unknown key": "Pl4nted-unknown-15",
    "rejected": "Pl4nted-rejected-16",
    "rejected text": "Pl4nted-rejected-text-17",
}


def loaded_document(job_id: str) -> dict[str, Any]:
    everywhere = " ".join([PLANTED["flagged"], PLANTED["unflagged"], PLANTED["numeric"], PLANTED["nested"]])
    return job(
        id=job_id,
        error=(
            f"ConnectionError: https://svc:{PLANTED['error url']}@h/x?sig={PLANTED['delta link']} said {everywhere}; "
            f"Authorization: Bearer {PLANTED['bearer']}; password={PLANTED['parameter']} {PEM}"
        ),
        metadata={"api_token": PLANTED["metadata name"], "note": everywhere, "code": int(PLANTED["numeric"])},
        extra={"dump": json.dumps({"pw": PLANTED["flagged"]}), PLANTED["flagged"]: [everywhere]},
        **{"connector.configuration": {"f": {"value": PLANTED["dotted"]}}},
        connector={
            "sync_cursor": {
                "site_drives": {"d": f"https://g.example/delta?token={PLANTED['delta link']}"},
                "x": everywhere,
            },
            "filtering": {
                "advanced_snippet": {"value": [{"query": f"select '{everywhere}'"}]},
                "rules": [],
                "validation": {"state": "invalid", "errors": [{"ids": ["a"], "messages": [everywhere]}]},
            },
            "configuration": {
                "password": {"sensitive": True, "type": "str", "value": PLANTED["flagged"], "label": "Password"},
                "account": {"type": "str", "value": PLANTED["unflagged"]},
                "pin": {"sensitive": True, "value": int(PLANTED["numeric"])},
                "host": {"value": f"mongodb://ana:{PLANTED['connection string']}@db.example.org"},
                "nested": {"value": {"a": [{"b": PLANTED["nested"]}]}},
                "default": {"default_value": PLANTED["default"], "value": None},
                "choice": {"value": False, "options": [{"label": "x", "value": PLANTED["option"]}]},
                "key_file": {"value": json.dumps({"private_key": PEM})},
                "list": {"value": [PLANTED["list"]]},
                "conditional": {"depends_on": [{"field": "a", "value": PLANTED["depends"]}], "value": 1},
                "unknown": {"value": 1, "display_value": PLANTED["unknown key"]},
            },
        },
    )


def rejected_answers() -> dict[str, bytes]:
    whole = loaded_document("another")
    whole["connector"]["configuration"]["other_password"] = {"value": PLANTED["rejected"]}
    whole["error"] = f"saw {PLANTED['rejected']}"
    return {
        "another-job": json.dumps(whole).encode(),
        "a-list": json.dumps({"count": 1, "results": [whole]}).encode(),
        "no-json": f"<html>password {PLANTED['rejected text']}".encode() + json.dumps(whole).encode()[:-9],
        "an-array": json.dumps([whole, PLANTED["rejected"]]).encode(),
    }


def bytes_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("verbosity", [["-q"], [], ["-v"], ["-vv"]], ids=" ".join)
def test_no_planted_secret_is_in_any_byte(make: MakeBench, verbosity: list[str]) -> None:
    documents = {"good": loaded_document("good"), "also": loaded_document("also"), **rejected_answers()}
    bench = make(documents)

    ended = bench.run(
        *verbosity, "--expose", "host,password,account", "--max-attempts", "1", "--batch-size", "2",
    )  # fmt: skip

    assert (ended.summary["outcomes"]["loaded"], ended.summary["outcomes"]["rejected"]) == (2, 4)
    files = bytes_below(bench.output)
    assert any(name.endswith("rejected.ndjson") and content for name, content in files.items())
    files |= {"stdout": ended.raw, "stderr": ended.err.encode()}
    for column in uncompressed(bench.output):
        files[f"cells {len(files)}"] = column
    exposed_on_purpose = {"unflagged"}
    found = {
        (place, name)
        for place, secret in PLANTED.items()
        for name, content in files.items()
        if secret.encode() in content and place not in exposed_on_purpose
    }
    assert found == set()


def uncompressed(folder: Path) -> list[bytes]:
    """The cells of all Parquet files, which are compressed on disk."""
    return [str(pq.read_table(path).to_pydict()).encode() for path in folder.rglob("*.parquet")]


def test_what_is_exposed_can_be_withdrawn_and_older_snapshots_go(make: MakeBench) -> None:
    bench = make({"a": loaded_document("a")})
    bench.run("--expose", "account")
    assert any(PLANTED["unflagged"].encode() in cells for cells in uncompressed(bench.output))

    ended = bench.run()

    assert ended.summary["snapshot"] is not None
    assert not any(PLANTED["unflagged"].encode() in cells for cells in uncompressed(bench.output))
    assert len(list((bench.output / "snapshots").iterdir())) == 1


def test_what_is_exposed_later_holds_for_later_fetches_and_the_summary_says_so(make: MakeBench) -> None:
    bench = make({"a": loaded_document("a")})
    bench.run()

    ended = bench.run("--expose", "account")

    assert any("loaded while fewer fields were exposed" in warning for warning in ended.summary["warnings"])


@pytest.mark.parametrize("verbosity", ["-q", "-v", "-vv"])
@pytest.mark.parametrize("trouble", ["refused", "faults", "proxy"])
def test_the_runs_own_credentials_are_in_no_file_and_no_line(make: MakeBench, trouble: str, verbosity: str) -> None:
    key = ApiKey(id="planted-key-id", secret="Pl4nted-api-key-secret")
    bench = make(
        {"a": job(id="a")},
        api_keys=(key,),
        users={"ana": "Pl4nted-user-password"},
        faults=Faults(garbage=1.0, max_in_row=1) if trouble == "faults" else Faults(),
    )
    sent = ApiKey(id="planted-key-id", secret="wrong-Pl4nted-api-key-secret") if trouble == "refused" else key
    bench.env["ELASTICSEARCH_API_KEY"] = sent.encoded
    if trouble == "proxy":
        bench.env["HTTP_PROXY"] = "http://ana:Pl4nted-proxy-password@127.0.0.1:9"

    ended = bench.run(verbosity, "--id-deadline", "2s", "--max-attempts", "2")

    told = [ended.raw, ended.err.encode(), *(bytes_below(bench.output).values() if bench.output.exists() else ())]
    for secret in (sent.encoded, sent.secret, "Pl4nted-user-password", "Pl4nted-proxy-password"):
        assert not any(secret.encode() in content for content in told)
    assert ended.code == {"refused": 77, "faults": 0, "proxy": 69}[trouble]
