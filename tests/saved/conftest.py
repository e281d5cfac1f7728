"""Saved files of every form, and what is read out of them."""

from __future__ import annotations

import gzip
import io
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from etl.extract.saved import MAX_DOCUMENT_BYTES, SavedDocument, SavedProblem, read_saved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 11, 24, 3, 50, tzinfo=UTC)
WRITTEN_AT = datetime(2025, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


PACKED: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd}


def told(found: SavedDocument | SavedProblem) -> tuple[str, str | bytes]:
    """Place, and bytes of the document or the reason why there is none."""
    return (found.place, found.reason if isinstance(found, SavedProblem) else found.document.raw)


class Files:
    """Writes files of a known time, and reads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        os.utime(path, ns=(0, int(WRITTEN_AT.timestamp()) * 10**9 + 123_456_789))
        return path

    def read(self, content: bytes, limit: int = MAX_DOCUMENT_BYTES) -> list[tuple[str, str | bytes]]:
        """What a file named f holds; places without its name."""
        path = self.write("f", content)
        found = [told(item) for item in read_saved([path], stdin=io.BytesIO(), now=NOW, limit=limit)]
        return [(place.removeprefix(str(path)), what) for place, what in found]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)
