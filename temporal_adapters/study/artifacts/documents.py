"""The JSON documents that one stage writes and others read: frozen records, each with a version of its schema.

Takes and gives files of a run folder. Knows where each lies and which fields it has, not what the numbers mean.

    Results    lags/results.json             correlate   what was tested, and what came out
    Trust      trust/trust.json              trust       how far to trust every option
    Recovery   recovery.json                 recovery    the answers against a known truth
    Validated  validate/recovery/validate.json           the study and other instruments against a known truth
    Halved     validate/halves-users/halves.json         what two halves of the panel have in common
    Mixed      mix/curve/mix.json            mix         the answers against mixes of labelled posts

A document without a version was written before there was one (0.1.0) and has the fields of version 1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.study.artifacts.checked import read_checked
from temporal_adapters.study.artifacts.keys import digest_json
from temporal_adapters.study.artifacts.layout import RunFolder

Values = Mapping[str, Any]
"""A JSON object; numbers that do not exist are null."""


@dataclass(frozen=True)
class Document:
    """One JSON document of a run folder."""

    FILE: ClassVar[str]
    SCHEMA: ClassVar[int] = 1
    COMMAND: ClassVar[str]

    @classmethod
    def load(cls, path: Path) -> Self | None:
        """Return the document in a file, None where there is no file.

        Raises
        ------
        ArtifactError
            If the file is damaged, lacks a field or was written by a newer version.
        """
        if not path.is_file():
            return None
        try:
            found = json.loads(read_checked(path).decode("utf-8"))
            version, digest = found.pop("schema", 1), found.pop("digest", None)
        except (ValueError, AttributeError, TypeError) as error:
            raise ArtifactError(
                f"{path} is not valid JSON ({error}): remove it and run `{cls.COMMAND}` again"
            ) from None
        if version != cls.SCHEMA:
            raise ArtifactError(
                f"{path} has version {version} of its format, this program reads {cls.SCHEMA}: update temporal-adapters"
                f" or run `{cls.COMMAND}` again"
            )
        if digest is not None and digest != digest_json({"schema": version, **found}):
            raise ArtifactError(
                f"{path} is not the file that was written (it carries another digest): restore it, or run"
                f" `{cls.COMMAND}` again"
            )
        try:
            return cls(**found)
        except TypeError as error:
            said = str(error).rpartition("__init__() ")[2]
            raise ArtifactError(
                f"{path} does not have the fields of its format ({said}): run `{cls.COMMAND}` again"
            ) from None

    def values(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Write the document into `folder`: all of it or nothing."""
        plain = json.loads(json.dumps({"schema": self.SCHEMA, **self.values()}, allow_nan=False))
        text = json.dumps({**plain, "digest": digest_json(plain)}, indent=1, ensure_ascii=False)
        partial = folder / f"{self.FILE}.partial-{os.getpid()}"
        partial.write_text(text + "\n", encoding="utf-8")
        os.replace(partial, folder / self.FILE)


@dataclass(frozen=True)
class Results(Document):
    """What `ta correlate` found.

    Attributes
    ----------
    headline
        The first sentence.
    facts
        Numbers of the family: family_size, n_options, n_weeks, draws, seed, alpha, detectable_r.
    results
        One object per option and lag: r, intervals, both tests, verdict, sentence.
    plan
        created and key of the frozen plan; None without one.
    deviations
        What differs from the plan: what, planned, now, reason, date.
    """

    FILE: ClassVar[str] = "results.json"
    COMMAND: ClassVar[str] = "ta correlate"

    headline: str
    facts: Values
    results: Sequence[Values]
    plan: Values | None = None
    deviations: Sequence[Values] = ()

    @classmethod
    def read(cls, run: RunFolder) -> Self | None:
        """Return the document of a run, None where there is none."""
        return cls.load(run.lags / cls.FILE)

    @property
    def tested(self) -> list[Values]:
        """The results at tested lags."""
        return [one for one in self.results if one["dynamics"] is not None]


@dataclass(frozen=True)
class Trust(Document):
    """The figures of trust of every option.

    Attributes
    ----------
    lag
        Lag (weeks, positive = the model leads) at which the study is assessed.
    placebos
        ``uniform`` (kind -> distance of the placebos' p-values from uniform) and ``not_available`` (kind -> reason).
    options
        One object per option: item, option, weeks, reliabilities, corrected r, nowcast, placebo, specification.
    """

    FILE: ClassVar[str] = "trust.json"
    COMMAND: ClassVar[str] = "ta correlate"

    lag: int
    placebos: Values
    options: Sequence[Values]

    @classmethod
    def read(cls, run: RunFolder) -> Self | None:
        """Return the document of a run, None where there is none; 0.1.0 wrote it as ``validity/validity.json``."""
        return cls.load(run.trust / cls.FILE) or cls.load(run.trust_before / "validity.json")


@dataclass(frozen=True)
class Recovery(Document):
    """The answers against the known truth of a simulated world, beside counting words.

    Attributes
    ----------
    mean_r, ceiling_r, efficiency
        Means over options of r with the truth, of the answers and of counting words, and their ratio.
    n_weeks
        Weeks that answers and truth share.
    options
        Option -> r, ceiling, r_changes, n_weeks.
    seconds
        Stage -> seconds of the last run.
    """

    FILE: ClassVar[str] = "recovery.json"
    COMMAND: ClassVar[str] = "ta run"

    mean_r: float
    ceiling_r: float
    efficiency: float | None
    n_weeks: int
    options: Mapping[str, Values]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, run: RunFolder) -> Self | None:
        """Return the document of a run, None where there is none."""
        return cls.load(run.root / cls.FILE)


@dataclass(frozen=True)
class Validated(Document):
    """The study and other instruments against a known truth.

    Attributes
    ----------
    study, item
        What was asked of whom.
    n_weeks, confidence
        Weeks of the study, and confidence of the intervals.
    ceiling
        Name of the method that counts the world's own words.
    methods
        Method -> what, tokens, mean, spread, efficiency, options.
    sweep
        The published recipe at every learning rate that was tried.
    """

    FILE: ClassVar[str] = "validate.json"
    COMMAND: ClassVar[str] = "ta validate"

    study: str
    item: str
    n_weeks: int
    ceiling: str
    confidence: float
    methods: Mapping[str, Values]
    sweep: Mapping[str, Values]

    @classmethod
    def read(cls, run: RunFolder) -> Self | None:
        """Return the document of a run, None where there is none."""
        return cls.load(run.validated / cls.FILE)


@dataclass(frozen=True)
class Halved(Document):
    """What two halves of a study's panel have in common.

    Attributes
    ----------
    by
        ``users`` or ``posts``.
    posts, users
        Median per week and half.
    options
        One object per option: item, option, n_weeks, r, components.
    """

    FILE: ClassVar[str] = "halves.json"
    COMMAND: ClassVar[str] = "ta validate --halves"

    by: str
    posts: float
    users: float
    options: Sequence[Values]

    @classmethod
    def read(cls, run: RunFolder, by: str) -> Self | None:
        """Return the document of a run, None where there is none."""
        return cls.load(run.halves(by) / cls.FILE)


@dataclass(frozen=True)
class Mixed(Document):
    """The answers of adapters on mixes of labelled posts.

    Attributes
    ----------
    item, low, high
        What was asked, and the options that stand for the labels.
    shares, seeds, checkpoints
        Grid of the experiment; checkpoints ascending, the last is `final`.
    options, calibration, dose
        Response of every option, errors of reading the share off the answers, response by training steps.
    recipe, base_digest
        How the adapters were trained and asked.
    label_low, label_high, n_posts, nested, origin
        The posts: labels, number per mix, whether mixes share posts, name of the source.
    """

    FILE: ClassVar[str] = "mix.json"
    COMMAND: ClassVar[str] = "ta mix"

    item: str
    low: str
    high: str
    shares: Sequence[float]
    seeds: Sequence[int]
    checkpoints: Sequence[str]
    options: Mapping[str, Values]
    calibration: Mapping[str, Values]
    dose: Mapping[str, Values]
    recipe: Values
    base_digest: str
    label_low: str
    label_high: str
    n_posts: int
    nested: bool
    origin: str

    @classmethod
    def read(cls, run: RunFolder) -> Self | None:
        """Return the document of a run, None where there is none."""
        return cls.load(run.mixed / cls.FILE)


DOCUMENTS: tuple[type[Document], ...] = (Results, Trust, Recovery, Validated, Halved, Mixed)
"""Every document that crosses from one stage to another."""
