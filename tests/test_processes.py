"""Who holds something, whether they live, and children that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from temporal_adapters.ground.processes import HOST, Holder, ended_by


def ended() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process


def test_this_process_lives_and_is_read_back_as_it_was_written() -> None:
    here = Holder.here()
    assert (here.host, here.pid) == (HOST, os.getpid())
    assert here.is_alive() is True
    again = Holder.parse(str(here))
    assert again is not None
    assert again.is_alive() is True
    assert again.started == pytest.approx(psutil.Process().create_time(), abs=0.01)


def test_a_process_that_ended_does_not_live_and_one_elsewhere_is_not_known() -> None:
    assert Holder(HOST, ended().pid).is_alive() is False
    assert Holder("elsewhere", os.getpid()).is_alive() is None


def test_a_process_id_that_was_given_out_again_is_another_process() -> None:
    started = psutil.Process().create_time()
    assert Holder(HOST, os.getpid(), started - 60).is_alive() is False
    assert Holder(HOST, os.getpid(), None).is_alive() is True  # written by 0.1.0: nobody knows when it started


@pytest.mark.parametrize("text", ["", "host", "host pid", "host 1 2 3", "host 1 soon", "host -1"])
def test_what_names_nobody_is_nobody(text: str) -> None:
    assert Holder.parse(text) is None


def test_how_a_process_ended_is_said_in_words() -> None:
    assert ended_by(3) == "ended with exit code 3"
    assert ended_by(-9).startswith("was killed (SIGKILL")
    assert "memory" in ended_by(-9)
    assert ended_by(-signal.SIGTERM) == "was killed (SIGTERM)"


_PARENT = """
import multiprocessing, time
from temporal_adapters.ground.processes import end_with_parent, starting_children

def child(started):
    end_with_parent()
    started.set()
    while True:
        sum(range(10_000))

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    worker = context.Process(target=child, args=(started,))
    with starting_children():
        worker.start()
    started.wait()
    print(worker.pid, flush=True)
    {then}
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_busy_child_is_gone_two_seconds_after_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(_PARENT).format(then="time.sleep(600)"))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        parent.send_signal(how)
        parent.wait()
        _, alive = psutil.wait_procs([child], timeout=2)
        assert alive == []


_THEN = """try:
        time.sleep(600)
    except KeyboardInterrupt:
        print(worker.is_alive(), flush=True)
        worker.kill()
"""


def test_ctrl_c_reaches_the_parent_only(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(_PARENT).format(then=_THEN))
    call = [sys.executable, str(script)]
    parent = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert parent.stdout is not None
    parent.stdout.readline()
    time.sleep(0.2)
    os.killpg(parent.pid, signal.SIGINT)
    said, errors = parent.communicate(timeout=60)
    assert said == "True\n"
    assert errors == ""
