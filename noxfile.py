"""The tests on every Python that the package promises: `nox`, or `nox -s tests-3.13`; missing ones are left out.

The checks of `.ci/run` are `make` targets; this adds nothing but other Pythons.
"""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False

PYTHONS = ("3.11", "3.12", "3.13", "3.14")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the quick tests; words after `--` go to pytest."""
    session.install("--constraint", "constraints.txt", "--editable", ".[dev]")
    session.run("python", "-m", "pytest", *(session.posargs or ("-n", "auto")))
