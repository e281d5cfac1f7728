"""docs/questions.md: each question gets the same answer in pandas and in SQL."""

from __future__ import annotations

import ast
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pytest

import etl

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "questions.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^## (\d+\. .*?)\n+```python\n(.*?)```\n+```sql\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)
BEGIN = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]


@pytest.fixture(name="database", scope="module")
def _database(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute((DOCS / "views.sql").read_text().replace("'output/", f"'{published}/"))
        yield database


@pytest.fixture(name="names", scope="module")
def _names(published: Path) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(BEGIN.replace('"output"', repr(str(published))), names)  # noqa: S102 - the document's own snippet
    assert isinstance(names["ds"], etl.Dataset)
    return names


def test_there_are_at_least_twenty_questions_in_order() -> None:
    assert [int(title.partition(".")[0]) for title, _, _ in QUESTIONS] == list(range(1, len(QUESTIONS) + 1))
    assert len(QUESTIONS) >= 20


@pytest.mark.parametrize(("title", "python", "sql"), QUESTIONS, ids=[title for title, _, _ in QUESTIONS])
def test_a_question_has_one_answer_in_at_most_three_lines(
    title: str, python: str, sql: str, names: dict[str, Any], database: duckdb.DuckDBPyConnection
) -> None:
    assert len(python.strip().splitlines()) <= 3
    assert len(sql.strip().splitlines()) <= 3

    by_pandas = rows_of(evaluate(python, dict(names)))
    found = database.query(sql).to_arrow_table().to_pylist()
    by_sql = sorted((tuple(map(plain, row.values())) for row in found), key=repr)

    assert by_pandas == by_sql, title
    if not title.startswith(("6.", "21.")):  # on this dataset nothing of that kind happened
        assert by_sql


def evaluate(code: str, names: dict[str, Any]) -> Any:
    """Run the statements and return the value of the last one."""
    *statements, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(statements, []), "question", "exec"), names)  # noqa: S102 - the document's own snippet
    return eval(compile(ast.Expression(last.value), "question", "eval"), names)  # noqa: S307 - as above


def rows_of(answer: pd.Series[Any] | pd.DataFrame) -> list[tuple[Any, ...]]:
    """Return an answer as sorted rows; an index that means something comes first."""
    named = [name for name in answer.index.names if name is not None]
    frame = answer.to_frame("answer") if isinstance(answer, pd.Series) else answer
    frame = frame.reset_index() if named else frame
    return sorted((tuple(map(plain, row)) for row in frame.itertuples(index=False, name=None)), key=repr)


def plain(value: Any) -> Any:
    """Bring a value to what both sides can have: missing is None, times are text, floats are rounded."""
    if value is None or (not isinstance(value, str | list) and pd.isna(value)):
        return None
    if isinstance(value, float) or type(value).__name__.startswith("float"):
        return None if math.isnan(value) else round(float(value), 6)
    if hasattr(value, "isoformat"):
        return pd.Timestamp(value).tz_convert("UTC").isoformat()
    return int(value) if hasattr(value, "item") else value
