"""One study file: everything that one study computes.

Takes a YAML file (or the name of a shipped study) and overrides, gives a frozen `Study`. Knows no stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, PrivateAttr
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError, UsageError
from temporal_adapters.study.config.base import FolderName, Section
from temporal_adapters.study.config.correlate import Correlate
from temporal_adapters.study.config.document import line_of, read_yaml, validate
from temporal_adapters.study.config.mix import Mix
from temporal_adapters.study.config.model import Model
from temporal_adapters.study.config.panel import Panel
from temporal_adapters.study.config.placebo import Placebo
from temporal_adapters.study.config.pretrain import Pretrain
from temporal_adapters.study.config.probe import Probe
from temporal_adapters.study.config.read import Read
from temporal_adapters.study.config.report import Report
from temporal_adapters.study.config.series import Series
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.study.config.survey import Survey
from temporal_adapters.study.config.tokens import Tokens
from temporal_adapters.study.config.train import Train
from temporal_adapters.study.config.validate import Validation
from temporal_adapters.study.config.weeks import Weeks

VALIDATE, VALIDATE_BEFORE = "validate", "validation"
"""The section's name in a study file, and in those of 0.1.0; pydantic has a method of the first name, so that the
attribute keeps the second."""


class Study(Section):
    """A study: one section per stage of the line."""

    study: FolderName
    """Name of the study and of its run folder: letters, digits, `.`, `_`, `-`."""

    description: str = ""
    """What the study is about, in a sentence."""

    panel: Panel
    """Raw posts."""

    weeks: Weeks = Weeks()
    """Weekly corpora."""

    pretrain: Pretrain | None = None
    """A base model made from the panel's first weeks; use it with ``model.base: "{run}/base"``."""

    model: Model = Model()
    """Base model."""

    tokens: Tokens = Tokens()
    """Token blocks."""

    train: Train = Train()
    """Adapters."""

    probe: Probe = Probe()
    """Questions."""

    read: Read | None = None
    """The base asked after each post, beside the adapters; without it nothing is read."""

    series: Series = Series()
    """Pooling."""

    survey: Survey | None = None
    """Survey tracker; without it the line ends at the series."""

    correlate: Correlate = Correlate()
    """Lags and tests."""

    placebo: Placebo = Placebo()
    """Series that should not be related to the survey."""

    report: Report = Report()
    """The report."""

    simulate: Simulate | None = None
    """A simulated world; only for studies that make their own panel."""

    validation: Validation = Field(
        Validation(), validation_alias=AliasChoices(VALIDATE, VALIDATE_BEFORE), serialization_alias=VALIDATE
    )
    """Recovery of that world's truth, beside other instruments (`ta validate`)."""

    mix: Mix | None = None
    """The mixing experiment; `ta mix` has its own settings without it."""

    _runs: Path = PrivateAttr(Path("runs"))
    _hint: str = PrivateAttr("")

    @property
    def runs(self) -> Path:
        """Folder of all runs that ``{run}`` in the study's paths was resolved with."""
        return self._runs

    @property
    def hint(self) -> str:
        """What to change in the study file or the overrides, which were read as they are; empty: nothing."""
        return self._hint


def load_study(reference: str | Path, runs: Path = Path("runs"), overrides: Sequence[str] = ()) -> Study:
    """Read one study.

    Parameters
    ----------
    reference
        Path of a study file, or the name of a shipped study such as ``demo``.
    runs
        Folder of all runs; ``{run}`` in the file's paths stands for ``runs/<study>``.
    overrides
        ``section.key=value`` settings that replace the file's, values in YAML.

    Raises
    ------
    ConfigError
        With file:line, the bad value, what is allowed and the nearest known key.
    """
    path = _find(str(reference))
    document = read_yaml(path)
    if not isinstance(document, CommentedMap):
        raise ConfigError(f"{path}: must hold `key: value` lines, found {type(document).__name__}")
    hints = [_rename(document, path), *(_override(document, override) for override in overrides)]
    shipped = path.parent == resources.folder("studies")
    context = {"folder": Path() if shipped else path.parent, "run": runs / str(document.get("study", "study"))}
    study = validate(Study, document, path, context)
    study._runs, study._hint = runs, next(filter(None, hints), "")
    return study


def _find(reference: str) -> Path:
    path = Path(reference)
    if path.suffix in (".yaml", ".yml") or path.exists():
        if path.is_file():
            return path
        raise ConfigError(f"{path}: there is no such study file (shipped: {', '.join(resources.names('studies'))})")
    return resources.path("studies", reference)


def _rename(document: CommentedMap, path: Path) -> str:
    """Give a section of a study file of 0.1.0 its name of today; return the hint that says so."""
    if VALIDATE_BEFORE not in document:
        return ""
    place = f"{path}:{line_of(document, [VALIDATE_BEFORE])}"
    if VALIDATE in document:
        raise ConfigError(f"{place}: {VALIDATE_BEFORE!r} is {VALIDATE!r} under its name of 0.1.0: keep one of the two")
    document.lc.data[VALIDATE] = document.lc.data[VALIDATE_BEFORE]
    document[VALIDATE] = document.pop(VALIDATE_BEFORE)
    return f"{place}: the section `{VALIDATE_BEFORE}` is called `{VALIDATE}` now and was read as that: rename it"


def _override(document: CommentedMap, override: str) -> str:
    """Replace a setting; return a hint where it has its name of 0.1.0."""
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise UsageError(f"--set {override!r}: write it as section.key=value, for example train.seeds=[42]")
    try:
        value: Any = YAML(typ="safe").load(text)
    except YAMLError:
        # A shell takes the quotes of "%d/%m/%Y", which YAML needs because of the sign it begins with.
        if text[:1] not in ("%", "@", "`"):
            raise UsageError(f"--set {override!r}: the value is not valid YAML") from None
        value = text
    node = document
    first, *below = key.split(".")
    *sections, last = (VALIDATE if first == VALIDATE_BEFORE else first), *below
    for section in sections:
        if node.get(section) is None:
            node[section] = CommentedMap()
        node = node[section]
        if not isinstance(node, CommentedMap):
            raise UsageError(f"--set {override!r}: {section!r} is a value, not a section")
    node[last] = value
    return f"--set {key}: write `{VALIDATE}` for `{VALIDATE_BEFORE}`" if first == VALIDATE_BEFORE else ""
