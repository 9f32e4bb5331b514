"""Where a study stands: every stage and every week x seed as done, partial, stale or missing.

Takes a study and its run folder, gives a `Standing`. Asks the stages what they expect; computes nothing itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from temporal_adapters.front.given import Given
from temporal_adapters.ground.errors import TemporalAdaptersError
from temporal_adapters.line import Ask, steps
from temporal_adapters.study.artifacts import Expected, Manifest, RunFolder, State, read_corpora, read_manifest
from temporal_adapters.study.config import Study


@dataclass(frozen=True)
class Stage:
    """One stage: how many folders are in which state, and why some are stale.

    Attributes
    ----------
    name, command
        Folder of the stage, and the command that makes it, with the options that name this study.
    counts
        State -> number of folders.
    reasons
        Why folders are stale, or what hinders the stage (a panel that is not there) -> number of folders.
    seconds
        Wall-clock seconds spent on the finished folders; time that several shared counts once.
    tokens
        Tokens trained on.
    n_bytes, n_aside
        Bytes on disk; of these in folders set aside as stale or left behind by interrupted runs.
    waits
        Whether a stage before it is not done, so that this one will be looked at again.
    """

    name: str
    command: str
    counts: dict[str, int]
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    tokens: int = 0
    n_bytes: int = 0
    n_aside: int = 0
    waits: bool = False

    @property
    def state(self) -> State:
        """The least finished state of its folders."""
        if not self.counts or set(self.counts) == {"missing"}:
            return "missing"
        if "stale" in self.counts:
            return "stale"
        return "done" if set(self.counts) == {"done"} else "partial"


@dataclass(frozen=True)
class Standing:
    """Where a study stands.

    Attributes
    ----------
    study
        Its name.
    stages
        Stages in the order of the line.
    weeks, seeds
        Labels of the weeks, seeds of the study.
    grid
        ``2023-W14/seed-42`` -> state.
    gaps
        Labels of weeks without posts.
    """

    study: str
    stages: list[Stage]
    weeks: list[str]
    seeds: list[int]
    grid: dict[str, State]
    gaps: list[str]

    @property
    def next(self) -> Stage | None:
        """The first stage that is not done; None when all are."""
        return next((stage for stage in self.stages if stage.state != "done"), None)

    def __str__(self) -> str:
        from temporal_adapters.front.standing_lines import lines

        return "\n".join(lines(self))


def standing(study: Study, run: RunFolder, given: Given = Given()) -> Standing:  # noqa: B008 (frozen)
    """Look at a run folder without changing it; `given` is how the person named the study."""
    built = read_manifest(run.weeks)
    weeks = [corpus.label for corpus in read_corpora(run)] if built else []
    grid = {f"{week}/seed-{seed}": run.adapter(week, seed) for week in weeks for seed in study.train.seeds}
    asked = {ask: _ask(ask, study, run) for step in steps(study) for ask in dict.fromkeys(step.folders.values())}
    stages: list[Stage] = []
    states: dict[str, dict[Path, State]] = {}
    for step, name, ask in [(one, *folder) for one in steps(study) for folder in one.folders.items()]:
        root = run.stage(name)
        expected, hindrance = asked[ask]
        known = {one.folder: one for one in expected if one.folder.is_relative_to(root)}
        wanted = list(grid.values()) if name == "adapters" else [] if name == "logprobs" else [root]
        folders = list(dict.fromkeys([*wanted, *known]))
        states[name] = {folder: _state(known.get(folder), folder) for folder in folders}
        waits = any(stage.state != "done" for stage in stages)
        found = replace(_stage(name, given.command(step), states[name], list(known.values()), run), waits=waits)
        # A stage that waits is hindered by the one before it, which says so itself.
        stages.append(replace(found, reasons={hindrance: 1}) if hindrance and not waits else found)
    return Standing(
        study=study.study,
        stages=stages,
        weeks=weeks,
        seeds=list(study.train.seeds),
        grid={name: states["adapters"][folder] for name, folder in grid.items()},
        gaps=list(built.facts.get("gaps", [])) if built else [],
    )


def _ask(ask: Ask, study: Study, run: RunFolder) -> tuple[list[Expected], str]:
    """Return what a stage expects, or nothing and the sentence that says why it cannot be known."""
    try:
        return list(ask(study, run)), ""
    except TemporalAdaptersError as error:
        return [], str(error)


def _state(one: Expected | None, folder: Path) -> State:
    """Return the state of a folder; without an expectation (what it is made from is not there) it can only be stale."""
    if one is not None:
        return one.state
    return "missing" if read_manifest(folder) is None else "stale"


def _stage(name: str, command: str, states: dict[Path, State], expected: list[Expected], run: RunFolder) -> Stage:
    reasons = Counter(reason for one in expected for reason in one.reasons())
    reasons.update(_before(name, states, run))
    manifests = list(_manifests(list(states)))
    n_bytes, n_aside = _disk(run.stage(name))
    return Stage(
        name=name,
        command=command,
        counts=dict(Counter(states.values())),
        reasons=dict(reasons.most_common()),
        seconds=round(_busy_s(manifests), 1),
        tokens=sum(int(manifest.facts.get("n_tokens", 0)) for manifest in manifests) if name == "adapters" else 0,
        n_bytes=n_bytes,
        n_aside=n_aside,
    )


def _before(name: str, states: dict[Path, State], run: RunFolder) -> list[str]:
    """Return the sentence about figures of trust that stand where 0.1.0 wrote them, if they stand there alone."""
    manifest = read_manifest(run.trust_before) if name == run.trust.name else None
    if manifest is None or set(states.values()) != {"missing"}:
        return []
    version = manifest.environment.get("packages", {}).get("temporal-adapters", "0.1.0")
    old, new = run.trust_before.name, run.trust.name
    return [f"{old}/ was made by temporal-adapters {version} and is read until it is made again as {new}/"]


def _busy_s(manifests: Sequence[Manifest]) -> float:
    """Return the length of the union of the times in which the folders were worked on."""
    ends = [(datetime.fromisoformat(manifest.created).timestamp(), manifest.seconds) for manifest in manifests]
    total, until = 0.0, -math.inf
    for start, end in sorted((end - seconds, end) for end, seconds in ends):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _manifests(folders: list[Path]) -> Iterator[Manifest]:
    for folder in folders:
        manifest = read_manifest(folder)
        if manifest is not None:
            yield manifest


def _disk(root: Path) -> tuple[int, int]:
    """Return the bytes of a stage, and those in folders set aside (``.stale-``) or left behind (``.partial-``)."""
    places = [root, *root.parent.glob(f"{root.name}.stale-*"), *root.parent.glob(f"{root.name}.partial-*")]
    total = aside = 0
    for place in places:
        for path in place.rglob("*"):
            if path.is_file():
                size = path.stat().st_size
                total += size
                aside += size if ".stale-" in str(path) or ".partial-" in str(path) else 0
    return total, aside
