"""What is installed from the wheel, far from the checkout, with nothing beside it but what the wheel names.

Nothing is fetched: the installed packages that the metadata names, and those that these name, are linked into it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True)
class Installed:
    """An environment with the wheel, and the empty folder to run it in."""

    binaries: Path
    folder: Path

    def run(self, *command: str) -> str:
        """Run a program of the environment, which must end well, and return what it printed."""
        env = {"PATH": f"{self.binaries}{os.pathsep}{os.defpath}", "HOME": str(self.folder)}
        program = self.binaries / command[0]
        ended = subprocess.run(
            [program, *command[1:]], cwd=self.folder, env=env, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


@pytest.fixture(name="built", scope="module")
def _built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution, built from the checkout."""
    folder = tmp_path_factory.mktemp("built")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t", "wheel", "-t", "sdist"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


@pytest.fixture(name="wheel", scope="module")
def _wheel(built: tuple[Path, Path]) -> Path:
    return built[0]


@pytest.fixture(name="metadata", scope="module")
def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as packed:
        [name] = [name for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(packed.read(name).decode())


@pytest.fixture(name="installed", scope="module")
def _installed(wheel: Path, metadata: Message, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    environment = tmp_path_factory.mktemp("installed")
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    [packages] = (environment / "lib").glob("python*/site-packages")
    link(needed(metadata.get_all("Requires-Dist", []), {"report"}), packages)
    return Installed(binaries=python.parent, folder=tmp_path_factory.mktemp("empty"))


def needed(requirements: Iterable[str], extras: set[str]) -> set[str]:
    """Return the names of the packages that requirements lead to, with those of their extras."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(requirement, extras) for requirement in requirements]
    while waiting:
        text, asked = waiting.pop()
        requirement = Requirement(text)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in asked or {""}):
            continue
        one = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if one not in found:
            found.add(one)
            waiting += [(further, set(requirement.extras)) for further in distribution(one[0]).requires or ()]
    return {name for name, _ in found}


def link(names: Iterable[str], packages: Path) -> None:
    """Put the installed packages of these names into another environment, as links."""
    for name in names:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(installed.locate_file(top))))


def tracked(*paths: str) -> set[str]:
    """Return the files under version control."""
    command = ["git", "ls-files", "-z", "--", *paths]
    return set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")) - {""}


def test_the_metadata_say_what_it_is_and_may_be_used_for(metadata: Message) -> None:
    classifiers = metadata.get_all("Classifier", [])

    assert metadata["Name"] == "sync-jobs-etl"
    assert metadata["Version"] == PROJECT["project"]["version"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert not [
        classifier for classifier in classifiers if classifier.startswith("License ::")
    ]  # an expression says it
    assert "Typing :: Typed" in classifiers
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(metadata.get_all("Provides-Extra", [])) == set(PROJECT["project"]["optional-dependencies"])


def test_tests_build_with_what_a_build_asks_for() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["project"]["optional-dependencies"]["dev"])


def test_the_wheel_has_the_package_its_types_and_its_licence_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    described = {name for name in names if ".dist-info/" in name}
    assert {"etl/py.typed", "etl/report/assets/page.js", "etl/sandbox/demo_jobs.txt"} <= names
    assert any(name.endswith("licenses/LICENSE") for name in described)
    assert {name for name in names - described if not name.startswith("etl/")} == set()
    assert tracked("etl") <= names
    assert not [name for name in names if "__pycache__" in name]


def test_the_source_distribution_has_package_and_documentation_and_builds_the_same_wheel(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, source = built
    with tarfile.open(source) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}

    assert tracked("etl", "docs", "jobs.txt", ":(glob)*.md", "LICENSE", "pyproject.toml") <= names
    assert {name.partition("/")[0] for name in names - tracked()} == {"PKG-INFO"}
    command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index",
               "--wheel-dir", str(tmp_path), str(source)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    [again] = tmp_path.glob("*.whl")
    assert (again.name, again.read_bytes()) == (wheel.name, wheel.read_bytes())


def test_the_commands_work_in_an_empty_folder_with_nothing_but_what_the_wheel_names(installed: Installed) -> None:
    found = installed.run("python", "-c", "import etl; print(etl.__file__)")
    assert Path(found.strip()).is_relative_to(installed.binaries.parent)

    assert installed.run("etl", "--version").strip().endswith(PROJECT["project"]["version"])
    assert "published in" in installed.run("etl", "demo")
    assert installed.run("etl", "inspect").count("sync_jobs") >= 1
    assert "no problem" in installed.run("etl", "verify")
    installed.run("etl", "report")
    assert "<script" in (installed.folder / "report.html").read_text(encoding="utf-8")
    read = "import etl; print(len(etl.open_dataset().jobs()))"
    assert int(installed.run("python", "-c", read)) > 20
    told = installed.run("python", "-m", "etl", "run", "--help")
    assert "--output" in told


def test_its_types_are_seen_from_outside(installed: Installed, tmp_path: Path) -> None:
    source = tmp_path / "notebook.py"
    source.write_text('import etl\n\nds = etl.open_dataset("output")\nreveal_type(ds)\nds.rows(1)\n')
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(installed.binaries / "python"),
               "--cache-dir", str(tmp_path / "cache"), str(source)]  # fmt: skip
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert 'Revealed type is "etl.dataset.opened.Dataset"' in ended.stdout
    assert 'Argument 1 to "rows" of "Dataset" has incompatible type "int"; expected "str"' in ended.stdout
    assert "Found 1 error in 1 file" in ended.stdout
