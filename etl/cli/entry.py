"""The program: it answers an interrupt from its first moment, for the imports of a command take a while."""

from __future__ import annotations

import sys


def program() -> None:
    """Run the command that the arguments name, and exit with its code."""
    try:
        from etl.cli import streams  # noqa: PLC0415 - an interrupt may come here already

        streams.secure()
        from etl.cli.main import main, spare_frames  # noqa: PLC0415 - likewise

        spare_frames()
        main()
    except KeyboardInterrupt:
        from etl.errors import ExitCode  # noqa: PLC0415 - likewise

        sys.stderr.write("\netl: interrupted\n")
        sys.exit(ExitCode.INTERRUPTED)
