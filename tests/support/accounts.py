"""Another account than the one that runs etl: to it what is private is closed, also where the tests run as root."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CAPABILITIES_V3 = 0x20080522
_OVERRIDES = 1 << 1 | 1 << 2  # DAC_OVERRIDE, DAC_READ_SEARCH: permissions do not hold for who has them


@contextmanager
def closed_to_this_account(*paths: Path) -> Iterator[None]:
    """Let files and folders be as those of another account are, which lets nobody else in."""
    modes = [path.stat().st_mode for path in paths]
    with _without_overrides():
        for path in paths:
            path.chmod(0)
        try:
            yield
        finally:
            for path, mode in zip(paths, modes, strict=True):
                path.chmod(mode)


@contextmanager
def _without_overrides() -> Iterator[None]:
    """Take from this thread, and from those that it starts, root's right to pass over permissions."""
    if os.geteuid() != 0:
        yield
        return
    if not sys.platform.startswith("linux"):
        pytest.skip("root passes over permissions here")
    libc = ctypes.CDLL(None, use_errno=True)
    head = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
    assert libc.capget(head, held) == 0
    fewer = type(held)(*held)
    fewer[0] &= ~_OVERRIDES
    assert libc.capset(head, fewer) == 0
    try:
        yield
    finally:
        assert libc.capset(head, held) == 0
