"""The operations guide holds: its blocks run, its files parse, and what it names exists."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_lines import command_lines, options, parse
from commands import etl
from documents import job
from guides import BINARIES, blocks_of, run_blocks

from etl.errors import ExitCode
from etl.observe.metrics import RunMetrics, write_metrics
from etl.sandbox.access import ApiKey
from etl.sandbox.server import Sandbox
from etl.sandbox.settings import SandboxSettings

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCKS = blocks_of(GUIDE)
PROSE = re.sub(r"^```\w+\n.*?^```$", "", GUIDE, flags=re.MULTILINE | re.DOTALL)

FOREIGN = {"--collector.textfile.directory"}
"""Options of other programs."""


def blocks(language: str) -> list[str]:
    return [block for name, block in BLOCKS if name == language]


def heading(text: str) -> str:
    """Return the part of the guide under a heading."""
    found = re.search(rf"^##+ {re.escape(text)}\n(.*?)(?=^##|\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, without their heads."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    rules = [number for number, line in enumerate(lines) if set(line[0]) <= {"-"}]
    return [line for number, line in enumerate(lines) if number not in rules and number + 1 not in rules]


def test_every_kind_of_block_is_known_to_these_tests() -> None:
    assert {name for name, _ in BLOCKS} == {"bash", "cron", "ini", "console", "yaml", "python", "http"}


@pytest.mark.slow
def test_the_shell_blocks_run_in_the_order_in_which_they_stand(tmp_path: Path) -> None:
    with Sandbox(SandboxSettings(jobs=80)) as sandbox:
        told = run_blocks([("bash", block) for block in blocks("bash")], tmp_path, sandbox)
    assert "14 checks: " in told
    assert len((tmp_path / "ids.txt").read_text().split()) == 80
    assert re.search(r"^etl_last_success_timestamp_seconds\{output=\".*/history\"\} 1\.\d+e\+09$", told, re.MULTILINE)
    assert (tmp_path / "backup" / "latest" / "_manifest.json").is_file()


def calls() -> list[list[str]]:
    found = [arguments for text in (GUIDE, *_shell_of_the_dag()) for arguments in command_lines(text)]
    found += [arguments for text in blocks("yaml") for arguments in _container_arguments(yaml.safe_load(text))]
    found += [["run", "--all"]] if "sync-jobs-etl run --all\n" in blocks("console")[0] else []
    return [list(arguments) for arguments in dict.fromkeys(map(tuple, found))]


def _container_arguments(value: Any) -> list[list[str]]:
    if isinstance(value, dict):
        own = [value["args"]] if isinstance(value.get("args"), list) else []
        return own + [found for inner in value.values() for found in _container_arguments(inner)]
    return [found for inner in value for found in _container_arguments(inner)] if isinstance(value, list) else []


def _shell_of_the_dag() -> list[str]:
    constants = [node for node in ast.walk(ast.parse(blocks("python")[0])) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str)]


@pytest.mark.parametrize("arguments", calls(), ids=" ".join)
def test_every_command_line_of_the_guide_is_understood(arguments: list[str]) -> None:
    parse(arguments)


def test_command_lines_are_found_in_every_kind_of_block() -> None:
    found = {" ".join(arguments) for arguments in calls()}

    assert "run --all --quiet --output /var/lib/sync-jobs --deadline 50m" in found
    assert "run --all --log-format json --workers 1 --deadline 50m" in found
    assert "run --all --output /srv/sync-jobs --deadline 50m" in found
    assert any("--metrics-file /var/lib/node_exporter/textfile/sync-jobs.prom" in line for line in found)
    assert len(found) > 15


def test_every_option_that_is_named_exists() -> None:
    known = set().union(*options().values()) | FOREIGN

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z.-]+", PROSE)) <= known


def test_every_variable_that_is_named_is_read() -> None:
    flags = {"ETL_" + flag.removeprefix("--").upper().replace("-", "_") for flag in set().union(*options().values())}
    source = (ROOT / "etl" / "settings" / "reach.py").read_text()

    for name in set(re.findall(r"\b(?:ETL|ELASTICSEARCH)_[A-Z_]+\b", GUIDE)):
        assert name in flags or f'"{name}"' in source, name


def test_the_table_of_exit_codes_is_complete() -> None:
    told = [int(code) for row in rows(heading("Exit codes, and what to do")) for code in row[0].split(", ")]

    assert sorted(told) == sorted(map(int, ExitCode))


def test_every_link_leads_somewhere() -> None:
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", GUIDE):
        assert (ROOT / "docs" / path).is_file(), path


@pytest.mark.parametrize(("version", "block"), list(zip(["9.1.0", "8.15.0", "8.12.0"], blocks("http"), strict=True)))
def test_the_keys_of_the_guide_are_enough_for_their_versions_and_name_no_privilege_too_early(
    tmp_path: Path, version: str, block: str
) -> None:
    request, _, body = block.partition("\n")
    roles = json.loads(body)["role_descriptors"].values()
    cluster = {name for role in roles for name in role.get("cluster", [])}
    index = {name for role in roles for one in role.get("indices", []) for name in one["privileges"]}
    key = ApiKey(id="made", secret="made", privileges=frozenset(cluster | index))

    with Sandbox(SandboxSettings(documents={"a": job(id="a")}, version=version, api_keys=(key,))) as sandbox:
        env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": key.encoded}
        ended = etl("doctor", "--json", "--output", str(tmp_path / "out"), env=env)

    assert request == "POST /_security/api_key"
    assert ended.code == 0
    states = {check["check"]: check["state"] for check in ended.summary["checks"]}
    assert (states["version"], states["privilege"], states["list"]) == ("ok", "ok", "ok")
    assert ("monitor_connector" in cluster) is version.startswith("9.")
    assert not {"all", "write"} & (cluster | index)


def test_the_answer_that_makes_the_key_can_be_kept_as_it_is(tmp_path: Path) -> None:
    with Sandbox(SandboxSettings(documents={})) as sandbox:
        answer = {"id": "i", "name": "sync-jobs-etl", "api_key": "k", "encoded": sandbox.api_key}
        (tmp_path / "api-key.json").write_text(json.dumps(answer))
        env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY_FILE": str(tmp_path / "api-key.json")}
        assert etl("doctor", "--output", str(tmp_path / "out"), env=env).code == 0


def test_the_table_of_metrics_is_what_is_written_and_the_rules_ask_for_nothing_else(tmp_path: Path) -> None:
    run = RunMetrics(
        output="/o", exit_code=0, ended_at=1.0, duration_s=1.0, outcomes={"loaded": 1}, retries=0, jobs=1, bytes=1,
        newest_at=1.0,
    )  # fmt: skip
    write_metrics(tmp_path / "etl.prom", run)
    written = set(re.findall(r"^# TYPE (\w+)", (tmp_path / "etl.prom").read_text(), re.MULTILINE))
    rules = next(found for text in blocks("yaml") if "groups" in (found := yaml.safe_load(text)))

    told = {row[0].strip("`") for row in rows(heading("Figures for Prometheus"))}
    assert told == written
    for group in rules["groups"]:
        for rule in group["rules"]:
            asked = set(re.findall(r"\betl_\w+", rule["expr"]))
            assert asked
            assert asked <= written


def test_the_fields_of_the_log_are_there(tmp_path: Path) -> None:
    with Sandbox(SandboxSettings(documents={"a": job(id="a")})) as sandbox:
        env = {"ELASTICSEARCH_URL": sandbox.url, "ELASTICSEARCH_API_KEY": sandbox.api_key}
        arguments = ["--output", str(tmp_path / "out"), "--log-format", "json"]
        lines = etl("run", "-", "--strict", *arguments, env=env, stdin=b"a\ngone\n").err.splitlines()
        lines += etl(
            "run", "-", "-v", "--max-attempts", "1", *arguments, env=env | {"ELASTICSEARCH_URL": "http://127.0.0.1:9"}
        ).err.splitlines()
    found = {name for line in lines for name in _names(json.loads(line))}

    told = {name for row in rows(heading("Log")) for name in re.findall(r"`([^`]+)`", row[0])}
    assert told <= found
    assert len(told) > 15


def _names(value: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for key, inner in value.items():
        names += [prefix + key, *(_names(inner, f"{prefix}{key}.") if isinstance(inner, dict) else ())]
    return names


def test_the_units_parse(tmp_path: Path) -> None:
    service, timer = blocks("ini")
    for name, text in (("sync-jobs-etl.service", service), ("sync-jobs-etl.timer", timer)):
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
        parser.read_string(re.sub(r"\\\n\s*", "", text))
        assert parser.has_section("Unit")
        # The program that is named is not installed here.
        (tmp_path / name).write_text(text.replace("/opt/etl/bin/etl", shutil.which("true") or "/bin/true"))
    if shutil.which("systemd-analyze") is None:
        return
    units = [str(tmp_path / "sync-jobs-etl.service"), str(tmp_path / "sync-jobs-etl.timer")]
    ended = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)  # noqa: S607 - wherever it is installed
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if str(tmp_path) in line]) == (0, [])


def test_the_cron_line_has_five_times_and_no_sign_that_cron_would_take_for_an_end_of_line() -> None:
    line = blocks("cron")[0].splitlines()[-1]

    assert re.fullmatch(r"(?:[\d*/,-]+ ){5}/opt/etl/bin/etl .*", line)
    assert "%" not in line


def test_the_cron_job_cannot_overlap_and_is_not_root() -> None:
    found = next(item for text in blocks("yaml") if (item := yaml.safe_load(text)).get("kind") == "CronJob")

    pod = found["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert found["spec"]["concurrencyPolicy"] == "Forbid"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert {"/data", "/tmp"} <= {mount["mountPath"] for mount in container["volumeMounts"]}  # noqa: S108 - of a pod


def test_the_dag_compiles_and_does_not_run_twice_at_a_time() -> None:
    source = blocks("python")[0]

    compile(source, "dag.py", "exec")
    assert "max_active_runs=1" in source


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_completion_is_printed(shell: str) -> None:
    env = {"PATH": os.environ["PATH"], "_ETL_COMPLETE": f"{shell}_source"}
    ended = subprocess.run([BINARIES / "etl"], env=env, capture_output=True, text=True, check=False)

    assert ended.returncode == 0
    assert "_ETL_COMPLETE" in ended.stdout
    assert f"_ETL_COMPLETE={shell}_source" in GUIDE


def test_commands_and_options_are_completed() -> None:
    def completed(words: str, place: int) -> str:
        env = {"PATH": os.environ["PATH"], "_ETL_COMPLETE": "bash_complete", "COMP_WORDS": words,
               "COMP_CWORD": str(place)}  # fmt: skip
        return subprocess.run([BINARIES / "etl"], env=env, capture_output=True, text=True, check=False).stdout

    assert "plain,doctor\n" in completed("etl do", 1)
    assert "plain,--metrics-file\n" in completed("etl run --met", 2)
