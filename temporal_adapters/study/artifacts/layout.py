"""Where everything of one study lies on disk.

Takes a study's name, gives paths and the list of weekly corpora. Knows no stage's content.

    runs/<study>/weeks/      2023-W14.parquet ... manifest.json
                 base/       a base model made by `ta pretrain` (only where the study asks for one)
                 tokens/     2023-W14/
                 adapters/   2023-W14/seed-42/adapter_model.safetensors
                 logprobs/   <questionnaire>/2023-W14/seed-42/  and  <questionnaire>/base/
                 answers/    answers.parquet
                 series/     series.parquet
                 lags/       lags.parquet
                 report/     index.html
                 validate/   <variant>/tokens/, adapters/ ...: the same study with changed settings
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts.manifest import read_manifest


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
    def weeks(self) -> Path:
        """Folder of the weekly corpora."""
        return (self.source or self.root) / "weeks"

    @property
    def answers(self) -> Path:
        """Folder of the answers."""
        return self.root / "answers"

    @property
    def series(self) -> Path:
        """Folder of the series."""
        return self.root / "series"

    @property
    def lags(self) -> Path:
        """Folder of the lags."""
        return self.root / "lags"

    @property
    def report(self) -> Path:
        """Folder of the report."""
        return self.root / "report"

    @property
    def base(self) -> Path:
        """Folder of a base model pre-trained on this study's own panel."""
        return self.root / "base"

    @property
    def world(self) -> Path:
        """Folder of a simulated world."""
        return (self.source or self.root) / "world"

    @property
    def validate(self) -> Path:
        """Folder of the variants of the study, and of what they say about the instrument."""
        return self.root / "validate"

    def tokens(self, week: str) -> Path:
        """Folder of the token blocks of one week (label)."""
        return (self.trained or self.root) / "tokens" / week

    def adapter(self, week: str, seed: int) -> Path:
        """Folder of the adapter of one week (label) and seed."""
        return (self.trained or self.root) / "adapters" / week / f"seed-{seed}"

    def logprobs(self, questionnaire: str, adapter: str) -> Path:
        """Folder of the token log-probs of one questionnaire under one adapter (``base`` or ``2023-W14/seed-42``)."""
        return self.root / "logprobs" / questionnaire / adapter


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


def read_corpora(run: RunFolder) -> list[WeekCorpus]:
    """Return the weekly corpora of a run, in order of time.

    The manifest of ``weeks/`` carries them as ``facts["weeks"]``: a list of objects with label, start, end, n_posts,
    n_users; the file of a week is ``<label>.parquet``.

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
