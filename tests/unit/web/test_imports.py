"""The web server starts in a second and stays small: what is rarely needed loads at first use."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"torch", "celery", "kombu", "boto3", "botocore", "numpy", "scipy", "PIL"}
HEAVY |= {"alembic", "argon2", "jinja2", "markupsafe", "typer", "rich"}


def test_the_application_loads_nothing_heavy() -> None:
    code = "import sys, web.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & {name.partition(".")[0] for name in done.stdout.split()} == set()
