"""The ground that everything stands on: lock, packaging, git, set-up, warnings, shared fixtures."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PACKAGES = ("features", "training", "serving", "models")
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")


EXTRAS = {"crm": Path("features", "sources", "live")}
"""Which folder alone may need which extra."""


def declared(*extras: str) -> list[Requirement]:
    project = PYPROJECT["project"]
    lines = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    return [Requirement(line) for line in lines]


def run(
    *command: str, cwd: Path = ROOT, env: dict[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=env, input=stdin, capture_output=True, text=True, check=False)


def files_of(folder: str) -> list[Path]:
    found = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file())
    return [path for path in found if "__pycache__" not in path.parts]


# The lock


def test_the_lock_names_no_address() -> None:
    assert "://" not in LOCK
    assert not re.search(r"^\s*(--(extra-)?index|--find-links|-i|-f)\b", LOCK, re.MULTILINE)


def test_every_locked_package_has_one_version_and_a_hash() -> None:
    entries = re.split(r"\n(?=[A-Za-z0-9])", re.sub(r"^\s*#.*\n", "", LOCK, flags=re.MULTILINE))
    assert len(entries) > 100
    for entry in entries:
        assert re.match(r"[A-Za-z0-9._-]+==[^\s;]+", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


def test_the_lock_satisfies_what_is_declared() -> None:
    entries = re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK, re.MULTILINE)
    locked = {canonicalize_name(name): Version(version) for name, version in entries}
    for wanted in declared("dev", *EXTRAS):
        version = locked.get(canonicalize_name(wanted.name))
        assert version is not None, f"{wanted} is not locked: run make lock"
        assert wanted.specifier.contains(version), f"{version} is locked, not {wanted}: run make lock"


# What is shipped


def imports_of(source: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / source).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_every_third_party_import_is_declared() -> None:
    distributions = packages_distributions()

    def known(source: Path) -> set[str]:
        extras = [extra for extra, folder in EXTRAS.items() if source.is_relative_to(folder)]
        return {canonicalize_name(wanted.name) for wanted in declared(*extras)}

    ours = {*PACKAGES, "rapport", *sys.stdlib_module_names}
    sources = [path for folder in PACKAGES for path in files_of(folder) if path.suffix == ".py"]
    undeclared = [
        f"{source} imports {module}"
        for source in [*sources, *(path.relative_to(ROOT) for path in ROOT.glob("rapport.py"))]
        for module in sorted(imports_of(source) - ours)
        if not {canonicalize_name(name) for name in distributions.get(module, [module])} & known(source)
    ]
    assert not undeclared, f"pyproject.toml does not declare what these import: {undeclared}"


def test_the_wheel_holds_every_file_of_our_packages(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, tree / folder, ignore=ignored)
    for pattern in ("pyproject.toml", "README.md", "LICENSE", "rapport.py"):
        for file in ROOT.glob(pattern):
            shutil.copy(file, tree)
    build = "from setuptools.build_meta import build_wheel; import sys; build_wheel(sys.argv[1])"
    built = run(sys.executable, "-c", build, str(tmp_path), cwd=tree)
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        shipped = set(wheel.namelist())
    expected = {path.as_posix() for folder in PACKAGES for path in files_of(folder)}
    assert expected - shipped == set()
    assert not [name for name in shipped if name.startswith(("tests/", "docs/"))]


# git


def is_ignored(paths: list[str]) -> list[str]:
    """Those of `paths` that our .gitignore hides, tracked or not; the user's own ignore file is left out."""
    git = ("git", "-c", "core.excludesFile=/dev/null")
    found = run(*git, "check-ignore", "--no-index", "--stdin", stdin="\n".join(paths))
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.splitlines()


def test_git_hides_no_file_of_ours() -> None:
    existing = [str(path) for folder in (*PACKAGES, "tests", "docs", ".ci") for path in files_of(folder)]
    names = ("data/a.csv", "models/a.txt", "build/a.py", "dist/a.js", "demo/a.py", "env/a.toml", "lib/a.py")
    likely = [f"{folder}/{name}" for folder in (*PACKAGES, "tests", "docs") for name in names]
    assert is_ignored([*existing, *likely, "rapport.py", "requirements.lock", "mlruns/.gitkeep"]) == []


def test_git_hides_what_is_made_here() -> None:
    made = [".venv/bin/python", "demo/report.html", "mlruns/mlflow.db", "mlruns/1", "features/__pycache__/a"]
    assert is_ignored(made) == made


# Set-up


def test_setup_says_which_python_it_needs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    done = run("make", "setup", f"PYTHON={old}", cwd=tmp_path)
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr
    assert not (tmp_path / ".venv").exists()


# Nothing is let through wholesale


def test_warnings_are_errors_but_for_named_ones() -> None:
    first, *allowed = PYPROJECT["tool"]["pytest"]["ini_options"]["filterwarnings"]
    assert first == "error"
    for line in allowed:
        action, message, *_ = line.split(":")
        assert action == "ignore"
        assert len(message) > 20, f"{line} lets a whole category through"


def test_mypy_exempts_none_of_our_packages() -> None:
    mypy = PYPROJECT["tool"]["mypy"]
    assert mypy["strict"] is True
    assert set(mypy["files"]) == {*PACKAGES, "rapport.py", "tests"}
    for override in mypy["overrides"]:
        assert set(override) == {"module", "ignore_missing_imports"}
        exempt = {name.partition(".")[0] for name in override["module"]}
        assert not exempt & {*PACKAGES, "rapport", "tests", "*"}


# Shared fixtures


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_tracking_store_starts_empty_and_keeps_its_artefacts_beside_itself(
    turn: str, tracking_store: str, tmp_path: Path
) -> None:
    import mlflow

    assert mlflow.get_tracking_uri() == tracking_store
    assert [experiment.name for experiment in mlflow.search_experiments()] == ["Default"]
    with mlflow.start_run() as in_default:
        mlflow.log_text("x", "default.txt")
    mlflow.set_experiment(f"churn, {turn}")
    with mlflow.start_run() as in_own:
        mlflow.log_text("x", "own.txt")
    assert in_default.info.experiment_id != in_own.info.experiment_id
    assert {path.name for path in (tmp_path / "artifacts").rglob("*.txt")} == {"default.txt", "own.txt"}


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 error"), ("false", "1 skipped")])
def test_without_a_browser_page_tests_fail_in_ci_only(tmp_path: Path, ci: str, outcome: str) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_page.py").write_text("def test_page(chromium): pass\n", encoding="utf-8")
    env = {**os.environ, "PATH": "", "CI": ci}
    done = run(sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", cwd=tmp_path, env=env)
    assert outcome in done.stdout
    assert "no Chromium in PATH" in done.stdout
