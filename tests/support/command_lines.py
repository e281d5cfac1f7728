"""Reads command lines of `etl` as the program would, without running them."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shlex
from typing import TYPE_CHECKING
from unittest import mock

import click

from etl.cli.main import COMMANDS, cli
from etl.observe.logs import LogFormat, choose_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHELL = re.compile(r"\s+(?:[|;&>)]|2>|#).*| \\$")
_LINE = re.compile(rf"(?<![\w./-])(?:/opt/etl/bin/)?etl ((?:{'|'.join(COMMANDS)}|--\w+)\b[^\n`\"]*)")


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of `etl` in a text; a backslash at the end of a line joins it with the next."""
    joined = re.sub(r"\\\n\s*", "", text)
    for match in _LINE.finditer(joined):
        yield shlex.split(_SHELL.sub("", match[1]))


def parse(arguments: Sequence[str]) -> None:
    """Parse arguments with every check that click makes.

    Raises:
        click.ClickException: they would not be taken.
    """
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "ELASTICSEARCH_"))}
    try:
        with mock.patch.dict(os.environ, kept, clear=True):
            _parse(list(arguments))
    finally:
        choose_format(LogFormat.TEXT)
        root.handlers[:] = handlers
        root.setLevel(level)


def _parse(arguments: list[str]) -> None:
    if arguments[0].startswith("-"):
        with contextlib.suppress(click.exceptions.Exit):  # --version
            cli.make_context("etl", arguments)
        return
    name, *rest = arguments
    context = click.Context(cli)
    command = cli.get_command(context, name)
    assert command is not None, name
    command.make_context(name, rest, parent=context)


def options() -> dict[str, set[str]]:
    """Return the options of each command, by its name; those of `etl` itself under ""."""
    context = click.Context(cli)
    found = {"": {flag for parameter in cli.get_params(context) for flag in parameter.opts}}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        parameters = command.get_params(click.Context(command, parent=context))
        found[name] = {flag for parameter in parameters for flag in (*parameter.opts, *parameter.secondary_opts)}
    return found


def variables() -> set[str]:
    """Return the variables of the environment that options and arguments are read from, beside the connection's."""
    context = click.Context(cli)
    commands = [cli.get_command(context, name) for name in COMMANDS]
    return {str(given.envvar) for command in commands if command for given in command.params if given.envvar}
