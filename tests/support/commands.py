"""Runs commands in this program as a shell would: arguments and environment in; exit code, stdout and stderr out."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock

from etl.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEARD = ("ELASTICSEARCH_", "ES_", "ETL_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_", "CURL_")


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str
    raw: bytes

    @property
    def summary(self) -> dict[str, Any]:
        """What `--json` printed."""
        summary: dict[str, Any] = json.loads(self.out)
        return summary


def etl(*arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> Ended:
    """Run `etl` with these arguments; of the environment it hears only `env`."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_HEARD)}
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    code = -1
    with (
        mock.patch.dict(os.environ, {**kept, **(env or {})}, clear=True),
        mock.patch.object(sys, "argv", ["etl", *arguments]),
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8")),
        mock.patch.object(sys, "stdout", out),
        mock.patch.object(sys, "stderr", err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
    out.flush()
    err.flush()
    raw = out.buffer.getvalue()
    told = err.buffer.getvalue()
    return Ended(code=code, out=raw.decode("utf-8", "replace"), err=told.decode(), raw=raw)
