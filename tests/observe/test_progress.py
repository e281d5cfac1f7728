"""What is seen of a run while it goes on."""

from __future__ import annotations

import logging
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest
from terminals import run_on_terminal

from etl.observe.logs import MaskingFormatter, configure, printable
from etl.observe.progress import HEARTBEAT_S, Heartbeat, Silent, progress

if TYPE_CHECKING:
    from pathlib import Path


def test_a_log_says_now_and_then_how_far_the_run_is(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    beat = Heartbeat(100, "jobs", clock=lambda: now[0])
    with caplog.at_level(logging.INFO, logger="etl"):
        beat.advance(10)
        now[0] = HEARTBEAT_S
        beat.advance(20)
        beat.advance(20)

    assert caplog.messages == ["jobs: 30 of 100 (1 a second)"]


def test_quiet_is_silent_and_a_file_gets_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert type(progress(5, "jobs", quiet=True)) is Silent
    assert isinstance(progress(5, "jobs", quiet=False), Heartbeat)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_and_no_colour(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "etl", "demo", "--output", str(tmp_path / "out")]
    env = {**os.environ, "TERM": "xterm-256color"}
    env.pop("NO_COLOR", None)

    code, told = run_on_terminal(command, env=env)

    assert code == 0
    assert b"/25" in told
    assert b"published in" in told
    assert not re.search(rb"\x1b\[[0-9;]*m", told)  # a colour


def test_a_log_line_stands_above_the_bar_in_a_line_of_its_own() -> None:
    program = """
from etl.observe.logs import LOGGER, configure
from etl.observe.progress import progress
configure(0)
with progress(10, "jobs", quiet=False) as shown:
    shown.advance(1)
    LOGGER.warning("while it goes on")
    shown.advance(1)
LOGGER.warning("after it")
"""

    code, told = run_on_terminal([sys.executable, "-c", program])

    assert code == 0
    visible = [line.rstrip("\r").rpartition("\r")[2] for line in told.decode().split("\n")]
    logged = [line for line in visible if "it" in line]
    assert [re.sub(r"^\S+Z WARNING ", "", line) for line in logged] == ["while it goes on", "after it"]
    assert b"1/10" in told


def test_every_line_is_masked_tracebacks_too_and_steers_no_terminal() -> None:
    formatter = MaskingFormatter(["top-secret-key"])
    try:
        int("top-secret-key at https://u:p@h \x1b[2J")
    except ValueError:
        record = logging.LogRecord("etl", logging.ERROR, "", 0, "key %s", ("top-secret-key",), sys.exc_info())
    told = formatter.format(record)

    assert "Traceback" in told
    assert "top-secret-key" not in told
    assert "u:p@" not in told
    assert "\x1b" not in told
    assert "x1b[2J" in told


@pytest.mark.parametrize("text", ["\r", "\x1b", "\x00", "\u202e", "\x9b"])
def test_control_characters_are_shown_not_obeyed(text: str) -> None:
    assert text not in printable(f"a{text}b")


@pytest.mark.parametrize(
    ("verbosity", "level", "root"),
    [(-1, logging.ERROR, logging.WARNING), (0, logging.INFO, logging.WARNING), (1, logging.DEBUG, logging.WARNING),
     (2, logging.DEBUG, logging.DEBUG)],
)  # fmt: skip
def test_verbosity_is_a_matter_of_levels(verbosity: int, level: int, root: int) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure(verbosity)
        assert (logging.getLogger("etl").level, logging.getLogger().level) == (level, root)
        assert len(logging.getLogger().handlers) == 1
    finally:
        logging.getLogger().handlers[:] = before[0]
        logging.getLogger().setLevel(before[1])
        logging.getLogger("etl").setLevel(logging.NOTSET)
