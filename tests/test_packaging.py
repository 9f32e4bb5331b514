"""The wheel, built and installed elsewhere, works without the checkout."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

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
    # The parent environment's packages stay visible, so that only the wheel itself is installed.
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    parent = next(path for path in sys.path if path.endswith("site-packages"))
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "zz_parent.pth").write_text(f"import sys; sys.path.append({parent!r})\n")
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
