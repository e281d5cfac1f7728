"""A cluster, an output folder, and the command line between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from commands import Ended, etl

if TYPE_CHECKING:
    from pathlib import Path

    from etl.sandbox.server import Sandbox


@dataclass(kw_only=True)
class Bench:
    """A cluster, an output folder, and `etl run` between them."""

    folder: Path
    documents: dict[str, Any]
    sandbox: Sandbox
    env: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def run(self, *arguments: str, ids: list[str] | None = None) -> Ended:
        """Run the main job for these ids (default: all documents) and print JSON."""
        jobs = self.folder / "jobs.txt"
        jobs.write_text("\n".join(ids if ids is not None else list(self.documents)) + "\n")
        env = {
            "ELASTICSEARCH_URL": self.sandbox.url,
            "ELASTICSEARCH_API_KEY": self.sandbox.api_key,
            "ETL_OUTPUT": str(self.output),
            **self.env,
        }
        return etl("run", str(jobs), "--json", *arguments, env=env)

    def asked(self) -> dict[str, int]:
        """How often each id was asked for since the last call."""
        counts = dict(self.sandbox.requests_by_id)
        self.sandbox.requests_by_id.clear()
        return counts


class MakeBench(Protocol):
    """Makes a bench with these documents; further arguments are settings of the sandbox."""

    def __call__(self, documents: dict[str, Any], **settings: Any) -> Bench: ...
