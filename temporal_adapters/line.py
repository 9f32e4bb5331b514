"""The line: every stage in order, the folders it fills, what it expects there, and the command that makes it.

Takes a study and its run folder, gives finished folders. The only place that knows the order of the stages and what
each of them needs: the commands, `proof` and the front door call it, and `ta status` looks at it. Knows no terminal.

    simulate -> weeks -> pretrain -> train -> probe -> read -> series -> correlate -> recovery -> report
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import (
    ReportError,
    ScaleError,
    TemporalAdaptersError,
    TrainError,
    UsageError,
    ValidityError,
)
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.stages import correlate, report, series, trust, weeks
from temporal_adapters.stages import probe as probing
from temporal_adapters.stages import train as training
from temporal_adapters.study.artifacts import load_table

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.scale import Engine
    from temporal_adapters.stages.survey import Linked
    from temporal_adapters.stages.train import Item
    from temporal_adapters.study.artifacts import Expected, Manifest, RunFolder
    from temporal_adapters.study.config import Study, Survey

Say = Callable[[str], None]
"""Hears one sentence about a finished stage."""


Ask = Callable[["Study", "RunFolder"], Sequence["Expected"]]
"""Says what a stage would publish today."""


def mute(sentence: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Work:
    """What a stage is run on.

    Attributes
    ----------
    study, run
        The study and its run folder.
    engine
        Where training and asking run; None: on this machine, with as many workers as pay.
    listener
        Hears of progress.
    say
        Hears what came out.
    """

    study: Study
    run: RunFolder
    engine: Engine | None = None
    listener: Listener = silent
    say: Say = mute


@dataclass(frozen=True)
class Step:
    """One stage of the line.

    Attributes
    ----------
    name
        Name of the stage.
    make
        Runs it; what is complete is skipped.
    folders
        Folder inside the run folder -> who knows what should lie there. Empty where the stage leaves a single file.
    command
        What a person types for this stage alone.
    section
        Section of the study file without which there is no such stage; empty: every study has it.
    default_study
        Study that the command takes when none is named; empty: the study file of the working folder.
    """

    name: str
    make: Callable[[Work], None]
    folders: dict[str, Ask]
    command: str
    section: str = ""
    default_study: str = ""


def steps(study: Study) -> list[Step]:
    """Return the stages that this study has, in order."""
    return [step for step in LINE if not step.section or getattr(study, step.section) is not None]


def make(work: Work, *, since: str | None = None, until: str | None = None) -> dict[str, float]:
    """Run the stages of a study in order; what is complete is skipped.

    Parameters
    ----------
    work
        The study, its run folder, where to compute, who hears of it.
    since, until
        Names of the first and the last stage; None: from the beginning, to the end.

    Returns
    -------
    dict
        Name of the stage -> seconds (close to 0 for what was complete), in order.

    Raises
    ------
    UsageError
        If there is no such stage.
    TemporalAdaptersError
        Whatever the stages raise; what was finished is kept.
    """
    seconds: dict[str, float] = {}
    for step in _between(work.study, since, until):
        started = time.monotonic()
        step.make(work)
        seconds[step.name] = round(time.monotonic() - started, 2)
        if step.name == "recovery":
            _keep_seconds(work.run, seconds)
    return seconds


def _between(study: Study, since: str | None, until: str | None) -> Iterator[Step]:
    names = [step.name for step in LINE]
    for name in (since, until):
        if name is not None and name not in names:
            raise UsageError(f"there is no stage {name!r} (there are: {', '.join(names)})")
    first = 0 if since is None else names.index(since)
    last = len(names) - 1 if until is None else names.index(until)
    yield from (step for step in steps(study) if first <= names.index(step.name) <= last)


def unfinished(study: Study, run: RunFolder, since: str, until: str) -> Iterator[tuple[str, Expected]]:
    """Yield the name of the stage and the folder, for every folder from `since` to `until` that is not done."""
    for step in _between(study, since, until):
        for ask in dict.fromkeys(step.folders.values()):
            yield from ((step.name, one) for one in ask(study, run) if one.state != "done")


def adapters_series(work: Work, *, since: str = "train") -> pl.DataFrame:
    """Run the stages from `since` to the series, and return the adapters' SERIES.

    For studies whose weeks (or, from `probe` on, adapters) are another study's: they have no survey of their own.
    """
    import polars as pl

    from temporal_adapters.ground.tables import ADAPTERS

    make(work, since=since, until="series")
    return load_table(work.run.series_table).filter(pl.col("source") == ADAPTERS)


# What each stage does.


def _simulate(work: Work) -> None:
    from temporal_adapters.worlds import stage

    made = stage.build(work.study, work.run)
    work.say(f"simulate: {work.run.world}" + ("" if made else " is complete"))


def _finished(ask: Ask, work: Work) -> Manifest | None:
    """Return the manifest of a stage's folder that is done, None otherwise; its modules stay unread then."""
    from temporal_adapters.study.artifacts import read_manifest

    found = list(ask(work.study, work.run))
    return read_manifest(found[-1].folder) if found and all(one.state == "done" for one in found) else None


def _weeks(work: Work) -> None:
    manifest = _finished(_corpora, work)
    if manifest is None:
        manifest = weeks.build(work.study, work.run, listener=work.listener)
    facts = manifest.facts
    work.say(f"weeks: {facts['n_posts']} posts in {len(facts['weeks'])} weeks")


def _pretrain(work: Work) -> None:
    from temporal_adapters.worlds import from_weeks

    made = from_weeks.build(work.study, work.run, listener=work.listener)
    if made:
        _check_made(work)
    work.say(f"pretrain: {work.run.base}" + ("" if made else " is complete"))


def _check_made(work: Work) -> None:
    """Refuse a base that has just been made and cannot be used, before anything is trained on it."""
    from temporal_adapters.stages.base import Wanted, ensure

    settings = work.study.model.model_copy(update={"base": str(work.run.base), "revision": None})
    ensure(settings, Wanted.of(work.study, longest=1))


def check_questions(study: Study) -> list[str]:
    """Return what is left out of a study's questionnaires under its base's tokenizer; no weights are loaded.

    Raises
    ------
    ProbeError, QuestionnaireError
        If a question could not be asked: better now than after hours of training.
    """
    from temporal_adapters.engines.model import load_tokenizer
    from temporal_adapters.stages import probe
    from temporal_adapters.stages.probe import require_separable

    return require_separable(probe.load_questionnaires(study), load_tokenizer(study.model), study.probe.methods)


def train(work: Work, weeks: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> list[Item]:
    """Train the adapters that are missing or stale and that nobody else has in work; return those that are not done.

    Parameters
    ----------
    work
        The study, its run folder, where to compute.
    weeks, seeds
        Labels of weeks, and seeds of the study; None: all.
    """
    from temporal_adapters import scale
    from temporal_adapters.ground.storage import require_space
    from temporal_adapters.stages.train import abandoned, disk_bytes, items
    from temporal_adapters.study.bases import cutoff_sentence

    engine = work.engine or scale.Engine()
    if any(not item.is_done for item in items(work.study, work.run, weeks, seeds)):
        for sentence in check_questions(work.study):
            work.say(f"probe: {sentence}")
    for name, holder in abandoned(items(work.study, work.run, weeks, seeds)):
        work.say(f"train: {name} is taken over from process {holder.pid} on {holder.host}, which is gone")
    wanted = items(work.study, work.run, weeks, seeds)
    n_left = sum(not item.is_done for item in wanted)
    if n_left:
        require_space(work.run.adapters, disk_bytes(work.study, n_left), f"train: {n_left} adapters")
        scale.train(work.study, work.run, engine=engine, weeks=weeks, seeds=seeds, listener=work.listener)
        wanted = items(work.study, work.run, weeks, seeds)
    known = cutoff_sentence(work.study.model, sorted({item.corpus.start for item in wanted}))
    if known is not None:
        work.say(f"warning: {known}")
    left = [item for item in wanted if not item.is_done]
    work.say(f"train: {len(wanted) - len(left)} of {len(wanted)} adapters are done")
    return left


def _train(work: Work) -> None:
    """Train all; the stages after this one would do without what another process has in work."""
    held = train(work)
    if held:
        raise TrainError(
            f"{len(held)} adapters are in work in another process (first {held[0].name}, claimed in"
            f" {held[0].claim_path}): start the same command again when that has ended"
        )


def probe(work: Work) -> Manifest:
    """Put the study's questions to the base and all adapters; return the manifest of the answers.

    Raises
    ------
    ScaleError
        If the engine cannot do what is asked, or adapters are stale.
    """
    from temporal_adapters import scale

    _require_current_adapters(work)
    manifest = scale.probe(work.study, work.run, engine=work.engine or scale.Engine(), listener=work.listener)
    work.say(f"answers: {manifest.facts['n_rows']} rows from {manifest.facts['n_models']} models")
    for low in manifest.facts["low_mass"]:
        work.say(_low_mass_sentence(low))
    _prove(work)
    return manifest


def _prove(work: Work) -> None:
    """Stop where an adapter does nothing; say in how many weeks it fits its own posts best."""
    import polars as pl

    from temporal_adapters.stages.base import proof

    proof.require_acting(pl.read_parquet(work.run.answers_table))
    if work.engine is not None and work.engine.name != "local":
        return  # the machine that asks a cluster may not hold the base
    try:
        manifest = proof.prove(work.study, work.run, listener=work.listener)
    except TemporalAdaptersError as error:
        work.say(f"proof: which weeks' posts adapters fit best was not measured: {error}")
        return  # the answers are complete without it
    if manifest is None or manifest.facts["n_weeks"] < 2:
        return
    n_weeks, n_right = manifest.facts["n_weeks"], manifest.facts["n_right"]
    held_out = "held-out " if manifest.facts["held_out"] else ""
    work.say(f"proof: {n_right} of {n_weeks} adapters fit {held_out}posts of their own week better than those beside")


def _require_current_adapters(work: Work) -> None:
    """Refuse to ask adapters of other settings or posts: the answers would carry today's name."""
    stale = [adapter for adapter in _adapters(work.study, work.run) if adapter.state == "stale"]
    if stale:
        raise ScaleError(
            f"{len(stale)} adapters were trained under other settings or posts (first {stale[0].folder}:"
            f" {stale[0].reasons()[0]}): run `ta train --all`, or put the settings back"
        )


def _low_mass_sentence(low: dict[str, Any]) -> str:
    return (
        f"warning: under the base, the options of {low['item']} (wording {low['wording']}, {low['method']}) hold only "
        f"{low['mass']:.1%} of the probability: their shares describe a corner of what the model would say"
    )


def _probe(work: Work) -> None:
    probe(work)


def read(work: Work) -> Manifest:
    """Ask the base after each post; return the manifest of the reader's series.

    Raises
    ------
    ReadError
        If the study has no section `read`, or no wording can be read.
    """
    from temporal_adapters.stages.read import stage

    manifest = stage.build(work.study, work.run, listener=work.listener)
    cut = f", {manifest.facts['n_cut']} of them cut" if manifest.facts["n_cut"] else ""
    work.say(f"read: {manifest.facts['n_posts']} posts in {manifest.facts['weeks']} weeks{cut}: {work.run.read}")
    return manifest


def _read(work: Work) -> None:
    read(work)


def _series(work: Work) -> None:
    facts = series.build(work.study, work.run, lambda: _said_others(work)).facts
    work.say(f"series: {facts['options']} options over {facts['weeks']} weeks on the scale {facts['scale']}")


def _correlate(work: Work) -> None:
    correlate.run(work.study, work.run)
    if _finished(_trust, work) is None:
        trust.run(work.study, work.run)
    headline = work.run.sentences.read_text(encoding="utf-8").splitlines()[0]
    work.say(f"correlate: {headline}")


def _recovery(work: Work) -> None:
    from temporal_adapters.worlds import stage

    found = stage.measure(work.run)
    if found is None:
        work.say("recovery: not measured, no item of the questionnaires asks for the moods of the world")
        return
    work.say(f"recovery: mean r {found.mean_r:.2f}, counting words {found.ceiling_r:.2f}")


def _keep_seconds(run: RunFolder, seconds: dict[str, float]) -> None:
    from temporal_adapters.worlds import stage

    stage.add_seconds(run, seconds)


def _report(work: Work) -> None:
    from temporal_adapters.study.artifacts import read_manifest

    manifest = _finished(_page, work)
    if manifest is None:
        manifest = report.build(work.study, work.run, listener=work.listener)
    facts = manifest.facts
    work.say(f"report: {facts['n_options']} options over {facts['n_weeks']} weeks")
    if work.study.survey is not None and read_manifest(work.run.lags) is None:
        raise ReportError(
            f"{work.run.report / 'index.html'} shows the series alone: {work.run.lags} does not exist, `ta correlate`"
            " failed or was not run; run it, then `ta report` again"
        )


# Here the survey meets the questionnaires and the adapters' series.


def others(study: Study, linked: Linked | None = None) -> list[pl.DataFrame]:
    """Return the series that stand beside the adapters': the survey's and those of baselines; none without a survey.

    `linked` is what `linked_survey` returned; without it the survey is read here.
    """
    if study.survey is None:
        return []
    survey = linked_survey(study) if linked is None else linked
    return [survey.series, *(_baseline(study, path) for path in study.correlate.baselines)]


def linked_survey(study: Study) -> Linked:
    """Return the survey's series in the questionnaires' names, and what of the questionnaires it does not have.

    Raises
    ------
    ValidityError
        If the study has no survey.
    """
    if study.survey is None:
        raise ValidityError(f"the study {study.study!r} has no survey: add a section `survey`")
    return _link(study, study.survey)


def _said_others(work: Work) -> list[pl.DataFrame]:
    if work.study.survey is None:
        return []
    linked = linked_survey(work.study)
    for missing in linked.without_survey:
        work.say(f"series: {missing} is not in the survey")
    for broken in linked.breaks:
        work.say(f"series: {broken}")
    return others(work.study, linked)


def _baseline(study: Study, path: Path) -> pl.DataFrame:
    """Return the series of one baseline file in the questionnaires' names; its weeks are the study's."""
    from temporal_adapters.study.config import Survey

    return _link(study, Survey(paths=(path,), source=path.stem, format="tidy", unit="mean", min_base=1)).series


def _link(study: Study, settings: Survey) -> Linked:
    from temporal_adapters.stages import survey
    from temporal_adapters.stages.weeks import wave_keys
    from temporal_adapters.study import questionnaire

    observed = survey.read_observations(settings)
    found = survey.read(settings, study.weeks.first_weekday, wave_keys(study.weeks), observed)
    linked = survey.link(found, [questionnaire.load(name) for name in study.probe.questionnaires])
    unstated = survey.unstated(observed, "fieldwork_date" in settings.model_fields_set)
    told = (*(broken.sentence for broken in survey.breaks(observed)), *([unstated] if unstated else []))
    return replace(linked, breaks=told)


# What each stage expects on disk; nothing heavy is imported to know it.


def _face(stage: ModuleType) -> Ask:
    """Return who asks the face of a stage, which loads the room behind it only then."""

    def ask(study: Study, run: RunFolder) -> Sequence[Expected]:
        return list(stage.expected(study, run))

    return ask


_corpora, _adapters, _answers = _face(weeks), _face(training), _face(probing)
_pooled, _lags, _trust, _page = _face(series), _face(correlate), _face(trust), _face(report)


def _world(study: Study, run: RunFolder) -> Sequence[Expected]:
    from temporal_adapters.worlds.stage import expected

    return expected(study, run)


def _base(study: Study, run: RunFolder) -> Sequence[Expected]:
    from temporal_adapters.worlds.from_weeks import expected

    return expected(study, run)


def _readings(study: Study, run: RunFolder) -> Sequence[Expected]:
    from temporal_adapters.stages.read.stage import expected

    return expected(study, run)


LINE: tuple[Step, ...] = (
    Step("simulate", _simulate, {"world": _world}, "ta simulate", "simulate", default_study="demo"),
    Step("weeks", _weeks, {"weeks": _corpora}, "ta build-weeks"),
    Step("pretrain", _pretrain, {"base": _base}, "ta pretrain", "pretrain"),
    Step("train", _train, {"adapters": _adapters}, "ta train --all"),
    Step("probe", _probe, {"logprobs": _answers, "answers": _answers}, "ta probe"),
    Step("read", _read, {"read": _readings}, "ta read", "read"),
    Step("series", _series, {"series": _pooled}, "ta series"),
    Step("correlate", _correlate, {"lags": _lags, "trust": _trust}, "ta correlate", "survey"),
    Step("recovery", _recovery, {}, "ta run", "simulate"),
    Step("report", _report, {"report": _page}, "ta report"),
)
