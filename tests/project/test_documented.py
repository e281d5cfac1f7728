"""Every command, option, variable, column and exit code is documented, and what documents name exists."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click
import pytest
from command_lines import command_lines, options, parse, variables

from etl.cli.main import COMMANDS, cli
from etl.cli.misspelt import LIKENESS
from etl.cli.reference import as_markdown
from etl.errors import ExitCode
from etl.model import Outcome
from etl.schema.declare import Column, Kind
from etl.schema.tables import TABLES
from etl.settings import VARIABLES, Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from etl.schema.declare import Table

ROOT = Path(__file__).parents[2]
PAGES = {path.name: path.read_text("utf-8") for path in (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")}
FOREIGN = {
    "operations.md": {"--collector.textfile.directory"},
}
"""Options of other programs that a page's prose names."""

FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODES = [(int(code), code.meaning, code.remedy) for code in ExitCode]


def sections(page: str, heading: str) -> dict[str, str]:
    """Return the parts of a page by the name that the pattern of their heading catches."""
    return dict(re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGES[page], re.MULTILINE | re.DOTALL))


def told(section: str, name: str) -> bool:
    """Tell whether a row of a section's table begins with a name, and ends with words about it."""
    row = re.search(rf"^\| [^|]*`{re.escape(name)}`.*\| ([^|]*) \|$", section, re.MULTILINE)
    return row is not None and len(row[1].split()) > 1


def undocumented_options() -> Iterator[str]:
    described = sections("commands.md", r"etl (\S+)")
    for name in COMMANDS:
        if name not in described:
            yield f"etl {name}"
        for flag in sorted(options()[name] - {"-h", "--help"}):
            if flag.startswith("-") and not told(described.get(name, ""), flag):
                yield f"etl {name} {flag}"


def undocumented_columns(tables: Iterable[Table]) -> Iterator[str]:
    described = sections("data-dictionary.md", r"(\S+)")
    for table in tables:
        for column in table.columns:
            if not told(described.get(table.name, ""), column.name):
                yield f"{table.name}.{column.name}"


def undocumented_codes(rows: Iterable[tuple[int, str, str]]) -> Iterator[tuple[str, int]]:
    for page in ("commands.md", "operations.md"):
        for code, meaning, remedy in rows:
            if f"| {code} | {meaning} | {remedy} |" not in PAGES[page]:
                yield page, code


def test_the_command_reference_is_the_generated_one() -> None:
    assert PAGES["commands.md"] == as_markdown(), "make it anew: python -m etl.cli.reference > docs/commands.md"


def test_every_command_and_every_option_is_documented() -> None:
    assert list(undocumented_options()) == []
    assert all(f"`{flag}`" in PAGES["commands.md"] or f" {flag}`" in PAGES["commands.md"] for flag in options()[""])


def test_every_column_is_documented() -> None:
    assert list(undocumented_columns(TABLES)) == []


def test_every_exit_code_is_documented_in_the_same_words_everywhere() -> None:
    assert all(code.meaning and code.remedy for code in ExitCode)
    assert list(undocumented_codes(CODES)) == []


def test_every_variable_of_the_connection_is_documented() -> None:
    for names in VARIABLES.values():
        assert all(f"`{name}`" in PAGES["commands.md"] for name in names)


def test_every_option_can_be_given_in_the_environment() -> None:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option):
                expected = "ETL_" + option.opts[0].removeprefix("--").upper().replace("-", "_")
                own = expected.replace("ETL_", f"ETL_{name.upper()}_", 1)
                assert option.envvar in {expected, own} or expected in VARIABLES[option.name or ""], (name, option.opts)


def test_a_variable_means_the_same_in_every_command() -> None:
    context = click.Context(cli)
    meanings: dict[str, set[tuple[object, ...]]] = {}
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        for option in command.params:
            if isinstance(option, click.Option) and option.envvar:
                choices = tuple(option.type.choices) if isinstance(option.type, click.Choice) else ()
                meaning = (option.type.name, choices, option.multiple, option.is_flag, option.nargs)
                meanings.setdefault(str(option.envvar), set()).add(meaning)

    assert [variable for variable, found in meanings.items() if len(found) > 1] == []
    assert {"ETL_FORMAT", "ETL_EXPORT_FORMAT", "ETL_SCHEMA_FORMAT", "ETL_ALL", "ETL_VERIFY_ALL"} <= set(meanings)


def test_no_variable_is_taken_for_a_misspelt_other_one() -> None:
    names = sorted(variables())
    for place, name in enumerate(names):
        assert get_close_matches(name, names[place + 1 :], cutoff=LIKENESS) == []


def test_a_command_without_documentation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "etl.cli.planted", SimpleNamespace(command=click.Command("planted")))
    monkeypatch.setitem(COMMANDS, "planted", "Be found.")

    assert list(undocumented_options()) == ["etl planted"]
    assert as_markdown() != PAGES["commands.md"]


def test_an_option_without_documentation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    command = cli.get_command(click.Context(cli), "verify")
    assert command is not None
    monkeypatch.setattr(command, "params", [*command.params, click.Option(["--planted"], help="Be found.")])

    assert list(undocumented_options()) == ["etl verify --planted"]
    assert as_markdown() != PAGES["commands.md"]


def test_a_column_without_documentation_is_found() -> None:
    planted = Column(name="planted", kind=Kind.STRING, description="Be found.", origin="this test")
    first, *others = TABLES

    found = undocumented_columns([replace(first, columns=(*first.columns, planted)), *others])

    assert list(found) == ["sync_jobs.planted"]


def test_an_exit_code_without_documentation_is_found() -> None:
    assert list(undocumented_codes([*CODES, (99, "planted", "find it")])) == [
        ("commands.md", 99),
        ("operations.md", 99),
    ]


@pytest.mark.parametrize("page", PAGES)
def test_each_call_of_a_page_is_one_that_the_program_takes(page: str) -> None:
    for block in FENCED.findall(PAGES[page]):
        for arguments in command_lines(re.sub(r"(?<=\S) {3,}.*$", "", block, flags=re.MULTILINE)):
            parse(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_each_option_that_a_page_names_exists(page: str) -> None:
    text = FENCED.sub("", PAGES[page])
    known = set().union(*options().values(), FOREIGN.get(page, set()))

    assert set(re.findall(r"(?<=`)--[a-z][a-z.-]+", text)) <= known


@pytest.mark.parametrize("page", PAGES)
def test_each_variable_that_a_page_names_is_read(page: str) -> None:
    known = {*variables(), *(name for names in VARIABLES.values() for name in names)}

    assert set(re.findall(r"\b(?:ETL|ELASTICSEARCH)_[A-Z_]*[A-Z]\b", PAGES[page])) <= known


@pytest.mark.parametrize("page", PAGES)
def test_each_file_of_the_project_that_a_page_names_exists(page: str) -> None:
    for path in re.findall(r"(?<![\w/.])(?:etl|tests|benchmarks|docs)/[\w/-]*\w(?:\.\w+)?", PAGES[page]):
        assert (ROOT / path).exists(), path


def test_the_glossary_has_every_outcome_and_every_strategy() -> None:
    for name in (*Outcome, *Strategy):
        assert f"`{name.value}`" in PAGES["glossary.md"] or f"- **{name.value}**" in PAGES["glossary.md"]
