"""``schema``: what a file for ``--spec`` may hold, for editors and programs."""

from __future__ import annotations

from producer.cli import render


def schema() -> None:
    """Print the JSON Schema of the file for --spec, in JSON or YAML."""
    from maskpool.spec_file import json_schema

    render.print_json(json_schema())
