"""Log records as JSON lines in the fields of the Elastic Common Schema, each string in them masked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ecs_logging import StdlibFormatter

from etl.observe.run_name import run_name
from etl.scrub import Masker
from etl.settings.installed import PROJECT, version

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterable

_LEFT_OUT: Final = ("log.original", "log.origin", "process.name", "process.thread")
"""What says the message twice, or says where in the source a line was written."""


class EcsFormatter(StdlibFormatter):
    """Formats a record as one line of JSON.

    Fields of the schema stand where it puts them. Its rule for all others is an object of one's own: what `etl` adds
    stands under `etl`, the run's id as `etl.run_id`.

    Args:
        secrets: the run's own credentials, masked in every string.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__(exclude_fields=_LEFT_OUT)
        self._masker = Masker(secrets)
        self._service = {"name": PROJECT, "version": version()}

    def format_to_ecs(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return the fields of a record, masked."""
        fields: dict[str, Any] = self._masked(super().format_to_ecs(record))
        run_id = run_name()
        if run_id is not None:
            fields.setdefault("etl", {})["run_id"] = run_id
        return fields | {"service": self._service}

    def _masked(self, value: Any) -> Any:  # noqa: ANN401 - a tree of JSON values
        """Mask before the values are written: in the line itself a mask could swallow a quote."""
        if isinstance(value, str):
            return self._masker.text(value)
        if isinstance(value, dict):
            return {key: self._masked(inner) for key, inner in value.items()}
        return [self._masked(inner) for inner in value] if isinstance(value, list | tuple) else value
