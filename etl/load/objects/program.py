"""Which program wrote something, so exactly that another one on the same machine can tell whether it still lives."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def program_mark(pid: int) -> str | None:
    """Return what no other program on any machine has: boot, name space of process ids, id, and time of its start.

    A host's name is no mark: containers share it without seeing each other.

    Args:
        pid: of a program.

    Returns:
        None where the program does not live, or the system does not tell.
    """
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
        space = Path("/proc/self/ns/pid").readlink()
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        state, started = after_name[0], after_name[19]
    except (OSError, IndexError):
        return None
    return None if state in {"Z", "X"} else f"{boot} {space} {pid} {started}"


def has_died(mark: str | None) -> bool:
    """Tell whether a program with a mark ran in this program's own view of this machine, and does not any more."""
    own = program_mark(os.getpid())
    if mark is None or own is None:
        return False
    here, parts = own.split(), mark.split()
    is_here = len(parts) == len(here) and parts[:-2] == here[:-2] and parts[-2].isdecimal()
    return is_here and program_mark(int(parts[-2])) != mark
