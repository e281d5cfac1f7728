"""Runs `etl` and kills this program with SIGKILL at the n-th change on disk.

    python killed_run.py N run jobs.txt ...

N is 0 for a run that lives, which writes the number of its changes to the file named by KILLED_RUN_COUNT.
KILLED_RUN_BASE_S is the longest first wait between attempts, where it is not that of every run.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from pathlib import Path
from typing import Any

from etl.cli.main import main
from etl.extract import retry
from etl.load.storage import Storage

if __name__ == "__main__":
    at = int(sys.argv[1])
    sys.argv = ["etl", *sys.argv[2:]]
    taken = 0
    step = Storage._step

    def counted(self: Storage, *arguments: Any, **named: Any) -> Any:
        global taken  # noqa: PLW0603 - one number for the whole program
        taken += 1
        if taken == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *arguments, **named)

    retry.BASE_S = float(os.environ.get("KILLED_RUN_BASE_S", retry.BASE_S))
    Storage._step = counted  # type: ignore[method-assign]  # the seam is what is being broken
    if not at:
        atexit.register(lambda: Path(os.environ["KILLED_RUN_COUNT"]).write_text(str(taken)))
    main()
