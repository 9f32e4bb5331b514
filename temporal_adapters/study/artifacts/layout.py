"""Where everything of one study lies on disk.

Takes a study's name, gives paths and the list of weekly corpora. Knows no stage's content.

    runs/<study>/panel/      staged raw files, digests.json, coverage.json
                 weeks/      2023-W14.parquet ... manifest.json
                 base/       a base model made by `ta pretrain` (only where the study asks for one)
                 tokens/     2023-W14/
                 adapters/   2023-W14/seed-42/adapter_model.safetensors
                 logprobs/   <questionnaire>/2023-W14/seed-42/  and  <questionnaire>/base/
                 answers/    answers.parquet
                 readings/   2023-W14/posts.parquet: what the base says after each post
                 read/       series.parquet of the reader
                 proof/      losses.parquet: that adapters act
                 series/     series.parquet
                 lags/       lags.parquet, results.json, sentences.txt
                 trust/      trust.json
                 report/     index.html
                 validate/   <variant>/tokens/, adapters/ ...: the same study with changed settings
                 mix/        tokens/, adapters/ ..., curve/: the mixing experiment
                 plan.json   recovery.json   logs/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts.manifest import read_manifest

ANSWERS_FILE, LAGS_FILE, SENTENCES_FILE, PLAN_FILE = "answers.parquet", "lags.parquet", "sentences.txt", "plan.json"
RECOVERY_FILE = "recovery.json"
SERIES_FILE, CELLS_FILE, SPREAD_FILE, SETTINGS_FILE = (
    "series.parquet",
    "cells.parquet",
    "spread.parquet",
    "settings.parquet",
)
"""Names of the files that cross from one stage to another; manifests and keys carry them as names of inputs."""

MIX_CURVE = "curve"
"""Name of the folder of results in the run folder of a mixing experiment."""


@dataclass(frozen=True)
class RunFolder:
    """The folder of one study: ``runs/<study>``.

    Attributes
    ----------
    root
        Where everything lies.
    source
        Another run folder whose world and weeks are read instead of own ones; None for a study of its own. A variant of
        a study has the same posts and writes all else below its own root.
    trained
        Another run folder whose tokens and adapters are read: the same adapters asked something else.
    """

    root: Path
    source: Path | None = None
    trained: Path | None = None

    @property
    def panel(self) -> Path:
        """Folder of what the raw files were staged to, and of their digests."""
        return self.root / "panel"

    @property
    def world(self) -> Path:
        """Folder of a simulated world."""
        return (self.source or self.root) / "world"

    @property
    def weeks(self) -> Path:
        """Folder of the weekly corpora."""
        return (self.source or self.root) / "weeks"

    @property
    def base(self) -> Path:
        """Folder of a base model pre-trained on this study's own panel."""
        return self.root / "base"

    def tokens(self, week: str) -> Path:
        """Folder of the token blocks of one week (label)."""
        return (self.trained or self.root) / "tokens" / week

    @property
    def adapters(self) -> Path:
        """Folder of all adapters."""
        return (self.trained or self.root) / "adapters"

    def adapter(self, week: str, seed: int) -> Path:
        """Folder of the adapter of one week (label) and seed."""
        return self.adapters / week / f"seed-{seed}"

    @property
    def all_logprobs(self) -> Path:
        """Folder of the token log-probs of every questionnaire."""
        return self.root / "logprobs"

    def logprobs(self, questionnaire: str, adapter: str) -> Path:
        """Folder of the token log-probs of one questionnaire under one adapter (``base`` or ``2023-W14/seed-42``)."""
        return self.all_logprobs / questionnaire / adapter

    @property
    def answers(self) -> Path:
        """Folder of the answers."""
        return self.root / "answers"

    @property
    def answers_table(self) -> Path:
        """The answers, in the ANSWERS schema."""
        return self.answers / ANSWERS_FILE

    @property
    def read(self) -> Path:
        """Folder of the reader's series."""
        return self.root / "read"

    def reading(self, label: str) -> Path:
        """Folder of what the base says after each post of a week."""
        return self.root / "readings" / label

    @property
    def proof(self) -> Path:
        """Folder of the losses that show which week's posts each adapter fits."""
        return self.root / "proof"

    @property
    def series(self) -> Path:
        """Folder of the series."""
        return self.root / "series"

    @property
    def series_table(self) -> Path:
        """The series, in the SERIES schema."""
        return self.series / SERIES_FILE

    @property
    def cells_table(self) -> Path:
        """The adapters' answers before pooling."""
        return self.series / CELLS_FILE

    @property
    def spread_table(self) -> Path:
        """Ranges of seeds and wordings around the adapters' series."""
        return self.series / SPREAD_FILE

    @property
    def plan(self) -> Path:
        """The frozen plan of the analysis."""
        return self.root / PLAN_FILE

    @property
    def recovery(self) -> Path:
        """The answers against the known truth of a simulated world."""
        return self.root / RECOVERY_FILE

    @property
    def lags(self) -> Path:
        """Folder of the lags."""
        return self.root / "lags"

    @property
    def lags_table(self) -> Path:
        """The lags, in the LAGS schema."""
        return self.lags / LAGS_FILE

    @property
    def sentences(self) -> Path:
        """The findings in words, one a line; the first is the headline."""
        return self.lags / SENTENCES_FILE

    @property
    def trust(self) -> Path:
        """Folder of the figures of trust."""
        return self.root / "trust"

    @property
    def trust_before(self) -> Path:
        """Folder of these figures in runs of 0.1.0: read where there is no other."""
        return self.root / "validity"

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.root / "report"

    @property
    def validate(self) -> Path:
        """Folder of the variants of the study, and of what they say about the instrument."""
        return self.root / "validate"

    @property
    def validated(self) -> Path:
        """Folder of what `ta validate` found about a known truth."""
        return self.validate / "recovery"

    @property
    def placebos(self) -> Path:
        """Folder of the placebos of the study's series."""
        return self.validate / "placebos"

    def halves(self, by: str) -> Path:
        """Folder of what the halves of the ``users`` or of the ``posts`` have in common."""
        return self.validate / f"halves-{by}"

    @property
    def mix(self) -> Path:
        """Folder of the mixing experiment: a run folder of its own."""
        return self.root / "mix"

    @property
    def mixed(self) -> Path:
        """Folder of what the mixing experiment found."""
        return self.mix / MIX_CURVE

    @property
    def logs(self) -> Path:
        """Folder of the logs, one a command."""
        return self.root / "logs"

    @property
    def slurm(self) -> Path:
        """Folder of the logs of SLURM tasks."""
        return self.root / "slurm"

    def stage(self, name: str) -> Path:
        """Folder of one stage by its name, such as ``lags``."""
        return self.root / name

    def beside(self, study: str) -> RunFolder:
        """Return the run folder of another study in the same folder of runs."""
        return RunFolder(self.root.parent / study)


@dataclass(frozen=True)
class WeekCorpus:
    """The text of one week.

    Attributes
    ----------
    label
        ISO label such as ``2023-W14``; names folders.
    start, end
        First and last day.
    path
        Parquet file in the PANEL schema, ordered.
    sha256
        Digest of that file.
    n_posts, n_users
        Counts.
    """

    label: str
    start: date
    end: date
    path: Path
    sha256: str
    n_posts: int
    n_users: int


def week_entry(label: str, start: date, end: date, n_posts: int, n_users: int, **more: Any) -> dict[str, Any]:
    """Return what the manifest of ``weeks/`` says of one week; `read_corpora` reads it.

    Parameters
    ----------
    label, start, end, n_posts, n_users
        As `WeekCorpus`.
    more
        What else the writer knows of the week, as JSON values.
    """
    known = {"label": label, "start": start.isoformat(), "end": end.isoformat(), "n_posts": n_posts, "n_users": n_users}
    return {**known, **more}


def weeks_facts(entries: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Return the facts of the manifest of ``weeks/`` from one `week_entry` per week."""
    return {"weeks": list(entries), "n_posts": sum(int(entry["n_posts"]) for entry in entries), **more}


def read_corpora(run: RunFolder) -> list[WeekCorpus]:
    """Return the weekly corpora of a run, in order of time.

    The manifest of ``weeks/`` carries them as ``facts["weeks"]``: a list of objects with label, start, end, n_posts,
    n_users (see `week_entry`); the file of a week is ``<label>.parquet``.

    Raises
    ------
    ArtifactError
        If the weeks have not been built.
    """
    manifest = read_manifest(run.weeks)
    if manifest is None:
        raise ArtifactError(f"{run.weeks} does not exist: run `ta build-weeks` first")
    corpora = []
    for week in manifest.facts["weeks"]:
        name = f"{week['label']}.parquet"
        corpora.append(
            WeekCorpus(
                label=week["label"],
                start=date.fromisoformat(week["start"]),
                end=date.fromisoformat(week["end"]),
                path=run.weeks / name,
                sha256=manifest.outputs[name]["sha256"],
                n_posts=week["n_posts"],
                n_users=week["n_users"],
            )
        )
    return sorted(corpora, key=lambda corpus: corpus.start)
