"""`benchmarks/gpu.sh` runs on a CPU with tiny shapes, so that no minute on a GPU goes to a slip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_every_line_of_the_gpu_benchmark_runs_on_a_cpu(tmp_path):
    place = {**os.environ, "OUT": str(tmp_path), "PYTHON": sys.executable}
    done = subprocess.run(
        [ROOT / "benchmarks" / "gpu.sh", "--dry"], env=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["left_out"] == {}
    beside = [row for row in found["rows"].values() if "cosine_with_peft" in row]
    assert len(beside) == 3 and all(row["cosine_with_peft"] > 0.999 for row in beside)
    kinds = {tuple(name.split()[1:2]) for name in found["rows"] if "document" in name}
    assert kinds == {("bf16",), ("fp8",), ("nf4",)} and "llama-3-8b bf16 probe" in found["rows"]


@pytest.mark.slow
def test_a_machine_without_a_package_is_told_which(tmp_path):
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho peft\n")
    fake.chmod(0o755)
    place = {**os.environ, "OUT": str(tmp_path), "PYTHON": str(fake)}
    done = subprocess.run([ROOT / "benchmarks" / "gpu.sh"], env=place, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "lacks peft" in done.stderr
