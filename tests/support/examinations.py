"""Runs `etl doctor` and looks into what it tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands import Ended, etl
from servers import ScriptedServer, reply

from etl.sandbox.settings import FULL_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from benches import Bench

SECRET = "s3cret-of-the-operator"


def examined(url: str, output: Path, *arguments: str, **env: str) -> Ended:
    return etl(
        "doctor", "--json", "--output", str(output), *arguments,
        env={"ELASTICSEARCH_URL": url, "ELASTICSEARCH_API_KEY": FULL_KEY.encoded, **env},
    )  # fmt: skip


def of(bench: Bench, *arguments: str, **env: str) -> Ended:
    return examined(bench.sandbox.url, bench.output, *arguments, **env)


def states(ended: Ended) -> dict[str, str]:
    return {check["check"]: check["state"] for check in ended.summary["checks"]}


def detail(ended: Ended, name: str) -> str:
    return next(str(check["detail"]) for check in ended.summary["checks"] if check["check"] == name)


def assert_wrong(ended: Ended, name: str, *said: str) -> None:
    """Hold that this alone is wrong, and what is said."""
    assert ended.code == 5
    assert [check for check, state in states(ended).items() if state == "wrong"] == [name]
    for text in said:
        assert text in detail(ended, name)
    assert "[redacted]" not in ended.out
    assert ended.err == ""


def root(server: ScriptedServer, **headers: str) -> None:
    """Let a scripted server say who it is, and know no job."""
    facts = {"cluster_uuid": "uuid", "version": {"number": "9.1.0"}}
    server.on("/", reply(200, facts, headers))
