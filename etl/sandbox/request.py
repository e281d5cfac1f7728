"""One request as the sandbox reads it from the wire."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request.

    Attributes:
        target: path and query as sent.
        headers: by lower-case name; of a repeated one the last.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, decoded one by one, so that an id may hold a slash; empty ones are dropped.

        >>> Request(method="GET", target="/_connector/_sync_job/a%2Fb?pretty", headers={}).segments
        ('_connector', '_sync_job', 'a/b')
        """
        return tuple(unquote(part, errors="surrogateescape") for part in self.path.split("/") if part)

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The parameters of the query, decoded; of a repeated one the last."""
        query = self.target.partition("?")[2]
        return dict(parse_qsl(query, keep_blank_values=True, errors="surrogateescape")) if query else {}
