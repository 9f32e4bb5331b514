"""What faults do to a study: kills, signals, full disks, read-only folders, flipped bits, leftovers. Nothing is timed.

    python benchmarks/faults.py [--quick] [--n 50] [--only kill,signal,disk,flip]

A tiny study is run once without faults. Then, for every stage, a copy of the run that lacks the stage is started, hit
by a fault at a random moment, looked at, and run again without one. The table has, per stage and fault: tries; reruns
with the same bytes as the run without faults; ends in a sentence; in a traceback; lost (the rerun fails); orphans
(processes of the run that live 2 s after it). Flipped bits are silent where `ta verify` does not name them.

The last line is JSON: `equal` (same bytes after every rerun), `tracebacks`, `lost`, `orphans`, `silent_flips`: each
should be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE / "tests"))

STUDY = """
study: f
simulate: {seed: 3, n_weeks: 12, gap_weeks: [], posts_per_week: 60, n_respondents: 200}
panel: {paths: ["{run}/world/posts.jsonl.gz"], format: twitter-v1, pseudonyms: false}
weeks: {timezone: Europe/London, languages: [en], keep_reposts: false}
model: {base: BASE, device: cpu}
tokens: {block_length: 64, attention: document}
train: {seeds: [1], r: 4, alpha: 8, epochs: 20, blocks_per_step: 1, save_every_s: 1}
probe: {questionnaires: [demo-mood], methods: [sequence]}
survey: {paths: ["{run}/world/survey.csv"], source: survey}
correlate: {lags: [0], draws: 199}
report: {figures: []}
"""

MADE_BY = {
    "weeks": ("panel", "weeks", "tokens", "adapters", "logprobs", "answers", "series", "lags", "trust", "report"),
    "train": ("tokens", "adapters", "logprobs", "answers", "series", "lags", "trust", "report"),
    "probe": ("logprobs", "answers", "series", "lags", "trust", "report"),
    "correlate": ("series", "lags", "trust", "report"),
}
COMMANDS = {
    "weeks": ["build-weeks"],
    "train": ["train", "--all", "--workers", "1"],
    "train, 2 workers": ["train", "--all", "--workers", "2"],
    "probe": ["probe"],
    "correlate": ["correlate"],
}
COMPARED = ("weeks", "tokens", "adapters", "logprobs", "answers", "series", "lags", "trust")


@dataclass
class Count:
    """What became of the tries of one fault in one stage."""

    tried: int = 0
    same_bytes: int = 0
    sentence: int = 0
    traceback: int = 0
    lost: int = 0
    orphans: int = 0


class Bench:
    """A finished study without faults, and copies of it that meet one."""

    def __init__(self, folder: Path) -> None:
        from tiny import save_tiny_base

        self.folder = folder
        save_tiny_base(folder / "base")
        self.study = folder / "study.yaml"
        self.study.write_text(STUDY.replace("BASE", str(folder / "base")), encoding="utf-8")
        self.environment = {**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        self.reference = folder / "reference"
        done = self.run(["run"], self.reference)
        if done.returncode:
            raise SystemExit(f"the run without faults failed:\n{done.stdout}")
        self.wanted = bytes_of(self.reference / "f")
        self.counts: dict[str, Count] = {}
        self.seconds: dict[str, float] = {}

    def call(self, words: list[str], runs: Path) -> list[str]:
        """Return the command line of `ta` for this study."""
        call = [sys.executable, "-m", "temporal_adapters.cli", *words]
        return [*call, "--study", str(self.study), "--runs", str(runs), "--quiet"]

    def run(self, words: list[str], runs: Path) -> subprocess.CompletedProcess[str]:
        """Run `ta` to its end."""
        return subprocess.run(
            self.call(words, runs),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def without(self, stage: str, at: Path | None = None) -> Path:
        """Return a folder of runs that lacks what `stage` and those after it made."""
        runs = at or self.folder / "tried"
        shutil.rmtree(runs / "f" if at else runs, ignore_errors=True)
        gone = MADE_BY[stage.partition(",")[0]]
        shutil.copytree(
            self.reference / "f", runs / "f", ignore=lambda where, _: gone if Path(where).name == "f" else ()
        )
        return runs

    def judge(self, name: str, said: str, code: int, runs: Path, orphans: int = 0) -> None:
        """Run again without a fault, and count."""
        count = self.counts.setdefault(name, Count())
        count.tried += 1
        count.orphans += orphans
        count.traceback += "Traceback" in said
        count.sentence += "ta: " in said and "Traceback" not in said
        again = self.run(["run"], runs)
        same = again.returncode == 0 and bytes_of(runs / "f") == self.wanted
        count.same_bytes += same
        count.lost += again.returncode != 0
        count.traceback += "Traceback" in again.stdout
        if "Traceback" in said or not same:
            print(
                f"--- {name} (exit {code})\n{said[-1500:]}\n--- rerun (exit {again.returncode})\n{again.stdout[-1500:]}"
            )

    def hit(self, stage: str, how: signal.Signals, moment: float) -> None:
        """Start a stage, send it a signal after `moment` seconds."""
        runs = self.without(stage)
        process = subprocess.Popen(
            self.call(COMMANDS[stage], runs), env=self.environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        children = [one for one in _children(process.pid) if "resource_tracker" not in " ".join(_words(one))]
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.send_signal(how)
        said, _ = process.communicate()
        _, alive = psutil.wait_procs(children, timeout=2)
        for one in alive:
            one.kill()
        name = f"{how.name} in {stage}"
        self.judge(name, said, process.returncode, runs, len(alive))


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def bytes_of(run: Path) -> dict[str, str]:
    """Return file -> digest of everything that a stage computed; manifests hold times, the page holds seconds."""
    found = {}
    for stage in COMPARED:
        for path in sorted((run / stage).rglob("*")):
            name = path.relative_to(run).as_posix()
            if (
                path.is_file()
                and path.name != "manifest.json"
                and not any(mark in name for mark in (".stale-", ".partial-"))
            ):
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def full_disk(bench: Bench, stage: str, megabytes: float) -> None:
    """Run a stage on a small disk of its own (Linux, user namespaces), give it room, run again."""
    disk = bench.folder / "disk"
    shutil.rmtree(disk, ignore_errors=True)
    (disk / "f").mkdir(parents=True)
    source = bench.without(stage)
    used = sum(path.stat().st_size for path in source.rglob("*") if path.is_file()) / 1e6
    call = " ".join(f"'{word}'" for word in bench.call(COMMANDS[stage], disk / "runs"))
    script = (
        f"mount -t tmpfs -o size={int((used + megabytes) * 1024) + 400}k none {disk} && cp -r {source} {disk}/runs"
        f" && {call}; echo exit $?; cp -r {disk}/runs/. {bench.folder}/after"
    )
    shutil.rmtree(bench.folder / "after", ignore_errors=True)
    (bench.folder / "after").mkdir()
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        env=bench.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    bench.judge(f"full disk in {stage}", done.stdout, done.returncode, bench.folder / "after")


def can_mount() -> bool:
    call = ["unshare", "--mount", "--map-root-user", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(call, check=False, capture_output=True).returncode == 0
    )


def odd_place(bench: Bench, kind: str) -> None:
    """Give the run folder the name of a file, of a link that leads nowhere, or of a link to itself."""
    runs = bench.folder / "odd"
    for one in (runs,):
        if one.is_symlink() or one.is_file():
            one.unlink()
        else:
            shutil.rmtree(one, ignore_errors=True)
    if kind == "a file":
        runs.write_text("")
    else:
        runs.symlink_to("nowhere" if kind == "a dangling link" else "odd")
    done = bench.run(["run"], runs)
    runs.unlink()
    bench.judge(f"runs is {kind}", done.stdout, done.returncode, bench.without("correlate"))


def flips(bench: Bench, places: int, rng: random.Random) -> tuple[int, int]:
    """Flip single bits in every kind of file; return how many were tried, and how many nobody names."""
    sys.path.insert(0, str(HERE))
    from temporal_adapters.front.upkeep import problems
    from temporal_adapters.study.artifacts import RunFolder

    run, kinds = bench.reference / "f", {}
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.stat().st_size and not {"logs", "panel"} & set(path.parts):
            stage = path.relative_to(run).parts[0]
            kinds.setdefault((stage, path.suffix if stage == "report" else path.name.split("-W")[0]), path)
    tried = silent = 0
    for (stage, name), path in kinds.items():
        whole = path.read_bytes()
        for _ in range(places):
            changed, place = bytearray(whole), rng.randrange(len(whole))
            changed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(changed)
            tried += 1
            if not list(problems(RunFolder(run))) and not _says_the_same(path, whole):
                silent += 1
                print(f"silent: {stage}/{name}, byte {place}")
        path.write_bytes(whole)
    return tried, silent


def _says_the_same(path: Path, whole: bytes) -> bool:
    return path.suffix == ".json" and json.loads(path.read_bytes()) == json.loads(whole)


def moments(bench: Bench, stage: str, n: int, rng: random.Random) -> Iterator[float]:
    """Yield random moments between the start of a stage and its end without a fault."""
    if stage not in bench.seconds:
        runs, started = bench.without(stage), time.monotonic()
        bench.run(COMMANDS[stage], runs)
        bench.seconds[stage] = time.monotonic() - started
    whole = bench.seconds[stage]
    yield from (rng.uniform(0.3, 1.0) * whole for _ in range(n))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one try of most faults")
    parser.add_argument("--n", type=int, default=50, help="kills per stage")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--only", default="kill,signal,disk,odd,flip")
    given = parser.parse_args()
    rng, only = random.Random(given.seed), given.only.split(",")
    n = 1 if given.quick else given.n
    tried = silent = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        stages = ("weeks", "train, 2 workers") if given.quick else tuple(COMMANDS)
        for stage in stages if "kill" in only else ():
            for moment in moments(bench, stage, n, rng):
                bench.hit(stage, signal.SIGKILL, moment)
        for how in (signal.SIGINT, signal.SIGTERM) if "signal" in only else ():
            for moment in moments(bench, "train, 2 workers", 1 if given.quick else max(1, n // 5), rng):
                bench.hit("train, 2 workers", how, moment)
        if "disk" in only and can_mount():
            for stage in ("train",) if given.quick else ("weeks", "train", "probe", "correlate"):
                for megabytes in (0.05,) if given.quick else [0.01 * 1.5**step for step in range(10)]:
                    full_disk(bench, stage, megabytes)
        for kind in ("a file",) if given.quick else ("a file", "a dangling link", "a link to itself"):
            if "odd" in only:
                odd_place(bench, kind)
        if "flip" in only:
            tried, silent = flips(bench, 3 if given.quick else 20, rng)
        counts = bench.counts
    print(f"{'fault':<32}{'tried':>7}{'same':>7}{'sentence':>10}{'traceback':>11}{'lost':>6}{'orphans':>9}")
    for name, one in counts.items():
        print(
            f"{name:<32}"
            + "".join(
                f"{value:>{wide}}" for value, wide in zip(asdict(one).values(), (7, 7, 10, 11, 6, 9), strict=True)
            )
        )
    print(f"flipped bits: {tried} tried, {silent} without a word")
    total = {name: sum(getattr(one, name) for one in counts.values()) for name in ("traceback", "lost", "orphans")}
    equal = all(one.same_bytes == one.tried for one in counts.values())
    found = {"equal": equal, "tracebacks": total["traceback"], "lost": total["lost"], "orphans": total["orphans"]}
    print(json.dumps({**found, "silent_flips": silent, "ratios": {}}))
    sys.exit(0 if equal and not any(total.values()) and not silent else 1)


if __name__ == "__main__":
    main()
