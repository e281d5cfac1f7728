"""Help teaches by example, and each example is one that the program takes."""

from __future__ import annotations

import re

import pytest
from command_lines import command_lines, options, parse
from commands import etl

from etl.cli.main import COMMANDS


def examples(text: str) -> list[list[str]]:
    """Return the arguments of the examples in a help text; what a column explains beside them is no part of them."""
    told = re.split(r"^ *(?:Examples?|First steps)\b.*:$", text, maxsplit=1, flags=re.MULTILINE)[1]
    told = re.split(r"^(?:Options|Commands|Exit codes|  Exit codes):", told, maxsplit=1, flags=re.MULTILINE)[0]
    return list(command_lines(re.sub(r"(?<=\S) {3,}.*$", "", told, flags=re.MULTILINE)))


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_each_example_of_a_command_is_one_that_it_takes(command: str) -> None:
    found = examples(etl(*([command] if command else []), "--help").out)

    assert found
    for arguments in found:
        parse(arguments)
    assert not command or any(arguments[0] == command for arguments in found)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_says_what_it_is_for(command: str) -> None:
    told = etl(command, "--help").out.split("Options:\n")[1]
    entries = re.split(r"\n  (?=-)", "\n" + told)[1:]

    for entry in entries:
        described = entry.split("  ", 1)[1] if "  " in entry else ""
        assert described.strip(), entry
    assert len(entries) >= len(options()[command] & {"--help"})
