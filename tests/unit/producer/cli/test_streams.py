"""Output that goes nowhere neither ends work nor passes for a success; any terminal gets text."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskpool import exits
from producer.cli import streams

#: Prints more than any buffer holds, or one line, and ends with a code of its own.
_VERB = """
import sys
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location

# By its file: importing its room takes longer than all the rest.
file, kind, lines, code, done = sys.argv[1:]
spec = spec_from_file_location("streams", file)
streams = module_from_spec(spec)
spec.loader.exec_module(streams)
streams.take_over()
if kind == "works":
    streams.go_on_without_reader()
status = 0
with suppress(streams.OutputClosed):
    for number in range(int(lines)):
        sys.stdout.write(f"{number:100}\\n")
        sys.stderr.write("a sign of life\\n")
    open(done, "w").close()
    status = int(code)
sys.exit(streams.conclude(status))
"""


def run(tmp_path: Path, kind: str, lines: int, code: int, redirected: str) -> tuple[int, bool, str]:
    """The exit code, whether it came to its end, and what it said on standard error."""
    done = tmp_path / "done"
    told = (streams.__file__, kind, str(lines), str(code), str(done))
    ended = subprocess.run(
        ["sh", "-c", f'"$@" {redirected}', "sh", sys.executable, "-P", "-c", _VERB, *told],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        stdout=_broken_pipe() if redirected == "" else subprocess.DEVNULL,
    )
    return ended.returncode, done.exists(), ended.stderr


def _broken_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("redirected", ["", ">&-", "<&- >&-"])
@pytest.mark.parametrize("lines", [1, 5_000])
def test_a_verb_that_reads_ends_quietly(tmp_path: Path, lines: int, redirected: str) -> None:
    code, ended, said = run(tmp_path, "reads", lines, 3, redirected)
    assert code == exits.OUTPUT_CLOSED
    assert ended == (lines == 1), "it stops as soon as nobody listens"
    assert said.replace("a sign of life\n", "") == ""


@pytest.mark.parametrize("redirected", ["", ">&-"])
@pytest.mark.parametrize("status", [exits.OK, exits.SOME_FAILED])
def test_a_verb_that_works_finishes(tmp_path: Path, status: int, redirected: str) -> None:
    assert run(tmp_path, "works", 5_000, status, redirected)[:2] == (status, True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize(("kind", "lines"), [("reads", 1), ("reads", 5_000), ("works", 5_000)])
def test_a_full_disk_is_said_and_is_no_success(tmp_path: Path, kind: str, lines: int) -> None:
    code, _, said = run(tmp_path, kind, lines, exits.OK, ">/dev/full")
    assert code == exits.BAD_INPUT
    assert said.endswith("maskpool: standard output: no space left on device\n")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_nobody_who_hears_errors_costs_nothing(tmp_path: Path, redirected: str) -> None:
    assert run(tmp_path, "works", 500, exits.OK, redirected)[:2] == (exits.OK, True)


def test_a_refusal_keeps_its_code(tmp_path: Path) -> None:
    assert run(tmp_path, "reads", 1, exits.BAD_INPUT, "")[0] == exits.BAD_INPUT


_TELL = """
from producer.cli import render, streams

streams.take_over()
with render.working("waiting"), render.bar() as bar:
    bar.show(None, None, None)
    render.console.print("score ≥ 0.5 – Größe 自転車 …", "\\udce9", soft_wrap=True)
    render.errors.print("10 images/s · Größe 自転車", soft_wrap=True)
render.print_json({"name": "Größe 自転車", "file": "caf\\udce9"})
""".encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"PYTHONIOENCODING": "ascii"}, "score > 0.5 - Gr??e ??? ~ \\xe9"),
        ({"PYTHONIOENCODING": "latin-1"}, "score > 0.5 - Größe ??? ~ \\xe9"),
        ({"PYTHONIOENCODING": "utf-8"}, "score ≥ 0.5 – Größe 自転車 … \\xe9"),
        # No terminal: a file, which is UTF-8 in any locale.
        ({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, "score ≥ 0.5 – Größe"),
    ],
)
def test_unknown_letters_are_replaced_but_not_in_json(variables: dict[str, str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", _TELL],
        env={**os.environ, **variables},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    text, json = done.stdout.split(b"\n", 1)
    assert text.decode(encoding).startswith(told)
    assert "Größe 自転車" in json.decode()
    assert r"caf\\xe9" in json.decode()
    done.stderr.decode(encoding)


def test_an_ascii_terminal_gets_a_bar_of_its_own_signs() -> None:
    terminal, ours = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _TELL],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "TERM": "xterm"},
        stdout=subprocess.DEVNULL,
        stderr=ours,
    )
    os.close(ours)
    assert process.wait(timeout=30) == 0
    said = os.read(terminal, 1 << 16)
    os.close(terminal)
    assert said.isascii()
    assert b"loading models" in said
    assert said.count(b"-") > 20
