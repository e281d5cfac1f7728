"""The entry point: commands by name, loaded when they are used, and errors as exit codes."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import Any

import click

from etl.cli.exits import exit_code_of
from etl.cli.signals import EndedAtOnceError
from etl.engine.lean import without_pandas
from etl.errors import EtlError, ExitCode
from etl.observe.logs import LOGGER, LogFormat, choose_format, is_for_machines, tell_problem
from etl.settings.installed import version

COMMANDS = {
    "run": "Fetch sync jobs and publish them as tables: the main job.",
    "discover": "Print the ids of all sync jobs on the cluster.",
    "demo": "Try the whole way on made-up data, without a cluster.",
    "sandbox": "Serve a stand-in Elasticsearch on this machine, for trying and testing.",
    "replay": "Publish saved documents, without a network.",
    "export": "Write hand-over files: one file a table, from the published dataset.",
    "inspect": "Show what a dataset holds, or what lies between two states of it.",
    "report": "Write one HTML page about the sync history.",
    "verify": "Check a dataset: files, keys, references, counts.",
    "compact": "Join the files of a month where fewer would hold its rows.",
    "doctor": "Check address, certificate, credentials, privileges, version, clock and output, and say what to do.",
    "schema": "Print the data dictionary.",
}


class Commands(click.Group):
    """A group whose commands are imported one by one: `etl schema` does not pay for `etl run`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """Return the names in the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's interface
        """Import and return a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"etl.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what the command returns
        """Invoke the command; click itself would end in silence, with exit code 1, where any pipe breaks."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            msg = "a pipe broke that is not standard output"
            raise RuntimeError(msg) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's interface
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(version(), prog_name="etl")
def cli() -> None:
    """Export Elasticsearch connector sync jobs into normalized, typed tables.

    \b
    First steps:
      etl demo                        needs no cluster; leaves tables in ./output
      export ELASTICSEARCH_URL=https://es.example.org:9200
      export ELASTICSEARCH_API_KEY=...
      etl doctor                      would a run work? What to do where not
      etl run jobs.txt                one sync job id a line
      etl run --all                   every sync job on the cluster

    \b
    Exit codes: 0 done; 1 a bug; 2 usage; 3 published but incomplete;
    4 nothing published; 5 a check found something; 69 unreachable; 74 output;
    75 locked; 77 refused; 130 interrupted; 143 terminated.
    """


_WITHOUT_FRAMES = frozenset({"run", "discover", "demo", "replay", "verify", "compact"})


def spare_frames() -> None:
    """Do without pandas in this program where its command makes no frames."""
    if len(sys.argv) > 1 and sys.argv[1] in _WITHOUT_FRAMES:
        without_pandas()


def main() -> None:
    """Run a command and exit with its code; errors are one line on stderr."""
    choose_format(LogFormat.TEXT)
    try:
        # Outside its standalone mode click returns the code of an Exit, and what a command returns otherwise.
        sys.exit(cli.main(standalone_mode=False) or ExitCode.OK)
    except click.ClickException as error:
        if is_for_machines():
            tell_problem(error.format_message())
        else:
            error.show()
        sys.exit(exit_code_of(error))
    except (KeyboardInterrupt, click.Abort) as error:
        cause = error.__cause__ or error  # click tells an interrupt in a word of its own
        tell_problem(str(cause) if isinstance(cause, EndedAtOnceError) else "interrupted")
        sys.exit(exit_code_of(error))
    except EtlError as error:
        tell_problem(str(error))
        LOGGER.debug("where it came from", exc_info=error)
        sys.exit(exit_code_of(error))
    except Exception as error:  # noqa: BLE001 - the last place where a bug is told without its secrets
        _tell_bug(error)
        sys.exit(exit_code_of(error))


def _tell_bug(error: Exception) -> None:
    if not logging.getLogger().handlers:
        logging.basicConfig(stream=sys.stderr, format="%(message)s")
    tell_problem(f"a bug: {type(error).__name__}: {error}; please report it, with -vv")
    LOGGER.debug("where it came from", exc_info=error)
