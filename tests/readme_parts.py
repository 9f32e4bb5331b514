"""What the README quotes from the code: the help text and the schemas; its test compares both."""

from __future__ import annotations

import os
import subprocess
import sys

from temporal_adapters.ground.tables import SCHEMAS

GRAINS = {
    "PANEL": "post",
    "ANSWERS": "adapter x item x wording x order x method x option",
    "SERIES": "source x item x option x week",
    "LAGS": "item x option x lag x method",
    "VOTES": "respondent x fold x model x condition",
}


def help_text() -> str:
    """Return `ta --help` at a width of 100 characters."""
    code = "import sys; sys.argv = ['ta', '--help']; from temporal_adapters.cli import main; main()"
    call = [sys.executable, "-c", code]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "dumb"}
    shown = subprocess.run(call, capture_output=True, text=True, check=True, env=environment).stdout
    return "\n".join(line.rstrip() for line in shown.strip().splitlines())


def schema_rows() -> list[str]:
    """Return one table row per schema: name, grain, columns."""
    rows = []
    for name, schema in SCHEMAS.items():
        columns = ", ".join([*schema.columns, *(f"{prefix}<label> ..." for prefix in schema.open_columns)])
        rows.append(f"| {name} | {GRAINS[name]} | {columns} |")
    return rows
