"""An environment with exactly what one extra of maskpool asks for, and nothing by chance.

Made of links to the packages of the environment that runs the tests: without an index, in a second.
"""

from __future__ import annotations

import venv
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).resolve().parents[2]


def make(folder: Path, *extras: str) -> str:
    """Make an environment for ``maskpool[extras]``; returns its interpreter.

    Skips the test where the environment of the tests itself lacks a package.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    [packages] = folder.glob("lib/python*/site-packages")
    for distribution in _closure(extras):
        _link(distribution, packages)
    (packages / "the_repository.pth").write_text(f"{_ROOT}\n")
    return str(folder / "bin" / "python")


def _closure(extras: tuple[str, ...]) -> list[Distribution]:
    """Every distribution that pip would install beside maskpool, by its metadata."""
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [("maskpool", extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        found[name] = found.get(name) or _distribution(name)
        for line in found[name].requires or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                of = canonicalize_name(wanted.name)
                waiting += [(of, one) for one in ("", *wanted.extras)]
    del found["maskpool"]
    return list(found.values())


def _distribution(name: str) -> Distribution:
    try:
        return Distribution.from_name(name)
    except PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")


def _link(distribution: Distribution, packages: Path) -> None:
    for file in distribution.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            place = packages / file
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                place.symlink_to(Path(str(distribution.locate_file(file))).resolve())
