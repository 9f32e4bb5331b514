"""The whole line works in a place without any network: no interface, not even the loopback one."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import save_tiny_base

STUDY = """
study: offline
simulate: {seed: 3, n_weeks: 12, gap_weeks: [], posts_per_week: 40, n_respondents: 200}
panel: {paths: ["{run}/world/posts.jsonl.gz"], format: twitter-v1, pseudonyms: false}
weeks: {timezone: Europe/London, languages: [en], keep_reposts: false}
model: {base: base, device: cpu}
tokens: {block_length: 64, attention: document}
train: {seeds: [1], r: 2, alpha: 4, epochs: 1, blocks_per_step: 4}
probe: {questionnaires: [demo-mood], methods: [sequence]}
survey: {paths: ["{run}/world/survey.csv"], source: survey}
correlate: {lags: [0], draws: 199}
report: {figures: [svg]}
"""

ALONE = ["unshare", "--net", "--map-root-user"]


def _can_be_alone() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.heavy
@pytest.mark.skipif(not _can_be_alone(), reason="needs Linux and user namespaces (unshare --net)")
def test_every_stage_runs_without_a_network(tmp_path: Path) -> None:
    save_tiny_base(tmp_path / "base")
    (tmp_path / "study.yaml").write_text(STUDY, encoding="utf-8")
    # Nothing tells the libraries to stay offline: there is no network that they could reach.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [*ALONE, sys.executable, "-m", "temporal_adapters.cli", "run", "--quiet"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "runs" / "offline" / "report" / "index.html").is_file()


@pytest.mark.skipif(not _can_be_alone(), reason="needs Linux and user namespaces (unshare --net)")
def test_the_place_has_no_network_indeed() -> None:
    ask = "import socket; print(socket.socket().connect_ex(('127.0.0.1', 9)))"
    done = subprocess.run([*ALONE, sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert int(done.stdout) in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN)
