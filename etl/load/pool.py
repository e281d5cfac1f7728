"""Where Arrow takes its memory from while a program stages or publishes."""

from __future__ import annotations

import pyarrow as pa


def give_back_memory() -> None:
    """Let Arrow use the system's own allocator in this program from now on.

    It gives freed memory back; Arrow's usual one keeps it, which costs half as much again at the peak of a publish.
    """
    pa.set_memory_pool(pa.system_memory_pool())


def give_back_unused() -> None:
    """Give back to the system what is free by now, of Arrow and of Python."""
    pa.default_memory_pool().release_unused()
