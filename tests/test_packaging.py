"""The wheel, built and installed elsewhere, works without the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from blocks import blocks

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    call = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(call, check=True)
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_carries_queries_configs_the_demo_model_and_the_kernels(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, ending in (("queries", ".sql"), ("configs", ".yaml")):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob(f"*{ending}")}
        assert here
        assert {f"temporal_adapters/{name}" for name in here} <= names
    assert "temporal_adapters/worlds/base/model.safetensors" in names
    assert "temporal_adapters/engines/model/kernels.c" in names


def test_the_installed_wheel_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    share_packages(tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    code = (
        "import temporal_adapters, pathlib, sys;"
        "from temporal_adapters.ground import resources; from temporal_adapters.study.config import load_study;"
        "assert pathlib.Path(temporal_adapters.__file__).is_relative_to(sys.argv[1]), temporal_adapters.__file__;"
        "assert resources.names('queries') and load_study('demo').study == 'demo'"
    )
    subprocess.run([python, "-I", "-c", code, str(tmp_path.resolve())], check=True, cwd="/")
    shown = subprocess.run(
        [python, "-I", "-m", "temporal_adapters.cli", "--help"], check=True, cwd="/", capture_output=True, text=True
    )
    assert "build-weeks" in shown.stdout


def test_five_lines_lead_from_a_fresh_clone_to_a_first_call_in_a_notebook(tmp_path: Path) -> None:
    """The lines of `docs/getting-started.md` as they stand; `jupyter lab` is what `jupyter execute` does by itself."""
    page = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    lines, calls = [block.text for block in blocks(page) if "clone" in str(block.reason)]
    assert len([line for line in (lines + calls).splitlines() if line]) == 5
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-local", str(ROOT), str(clone)], check=True)
    share_packages(clone / ".venv")
    write_notebook(clone / "first.ipynb", calls)
    script = lines.replace("&& jupyter lab", "&& jupyter execute --inplace first.ipynb")
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    call = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(call, cwd=clone, env=outside, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (cell,) = json.loads((clone / "first.ipynb").read_text(encoding="utf-8"))["cells"]
    (shown,) = cell["outputs"]
    assert "shape: (5, 10)" in "".join(shown["data"]["text/plain"])


def share_packages(folder: Path) -> None:
    """Make an environment that sees the packages of this one, so that nothing large is installed twice."""
    venv.create(folder, with_pip=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    parent = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "zz_parent.pth").write_text(f"import sys; sys.path.append({parent!r})\n")


def write_notebook(path: Path, source: str) -> None:
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    book = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(book), encoding="utf-8")
