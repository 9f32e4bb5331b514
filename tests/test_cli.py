"""The command line: light to start, one sentence per mistake, the right exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "transformers", "peft", "duckdb", "polars", "matplotlib", "pandas", "scipy", "datasets", "sklearn")


def ta(*argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "temporal_adapters.cli", *argv], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_help_imports_no_heavy_package() -> None:
    code = (
        "import sys\nfrom temporal_adapters.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command", ["simulate", "build-weeks", "train", "probe", "correlate", "report", "run", "status", "demo", "pretrain"]
)
def test_every_command_of_the_line_has_help(command: str) -> None:
    shown = ta(command, "--help")
    assert shown.returncode == 0
    assert "Usage" in shown.stdout


def test_a_mistake_in_the_study_file_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("study: x\npanel:\n  path: [a.csv]\n")
    shown = ta("build-weeks", cwd=tmp_path)
    assert shown.returncode == 1
    assert shown.stderr.startswith("ta: study.yaml:3: ")
    assert "did you mean 'paths'" in shown.stderr
    assert len(shown.stderr.strip().splitlines()) == 1


def test_an_unknown_option_is_exit_code_2() -> None:
    assert ta("build-weeks", "--nope").returncode == 2


def test_a_malformed_override_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text("study: x\npanel:\n  paths: [a.csv]\n")
    assert ta("build-weeks", "--set", "train", cwd=tmp_path).returncode == 2


def test_python_dash_m_with_the_package_is_the_command() -> None:
    call = [sys.executable, "-m", "temporal_adapters", "--version"]
    shown = subprocess.run(call, capture_output=True, text=True, check=True)
    assert shown.stdout == ta("--version").stdout
