"""The instruments that are compared: the study, counting words, a classifier, the published recipe.

Takes a finished study and its answered variants, gives the series of every instrument. Knows no truth; the ceiling
knows the world's own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.proof.validate.published import as_published, survey_wording
from temporal_adapters.proof.validate.variants import Variant
from temporal_adapters.proof.validate.world import read_series
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import RunFolder, read_corpora
from temporal_adapters.study.config import PUBLISHED_RATE
from temporal_adapters.worlds import QUESTION

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study

STUDY, CEILING = "study", "counting"
PUBLISHED_SCORING, OUR_SCORING = "published scoring", "our scoring"


@dataclass(frozen=True)
class Method:
    """One instrument.

    Attributes
    ----------
    name, what
        Its name, and what it is in a few words.
    series
        week, option, value, se of the world's question.
    adapters
        Folders of its adapters, one per week and seed of its study; none where it has none.
    """

    name: str
    what: str
    series: pl.DataFrame
    adapters: tuple[Path, ...] = ()


def methods(study: Study, run: RunFolder, ours: pl.DataFrame, variants: Sequence[Variant]) -> Iterator[Method]:
    """Yield the study, the ceiling, the baselines that the study asks for, and every variant by both scorings.

    Parameters
    ----------
    study, run
        A study with a world.
    ours
        Its adapters' series of the world's question.
    variants
        Answered variants of the published recipe.
    """
    from temporal_adapters.proof.validate.baselines import classified, counted, labelled_of

    settings = study.validation
    corpora: dict[date, Path] = {corpus.start: corpus.path for corpus in read_corpora(run) if corpus.n_posts}
    yield Method(STUDY, "this study's adapters", ours, _adapters(study, run))
    yield Method(CEILING, "counting the posts that hold the world's own mood words: the ceiling", counted(corpora))
    if "lexicon" in settings.references:
        yield Method("lexicon", "counting the answer options' own words", counted(corpora, own_words(study)))
    if "classifier" in settings.references and study.simulate is not None:
        posts = labelled_of(study.simulate, settings.labelled_posts, settings.labelled_seed)
        what = f"TF-IDF and logistic regression, learnt from {posts.height} labelled posts of another world"
        yield Method("classifier", what, classified(corpora, posts))
    wording = survey_wording(study, QUESTION) if variants else ""
    for one in variants:
        yield from _scored(one, wording)


def _scored(one: Variant, wording: str) -> Iterator[Method]:
    import polars as pl

    rate, block_length = one.study.train.learning_rate, one.study.tokens.block_length
    theirs = as_published(one, wording).filter(pl.col("item") == QUESTION)
    ours, _ = read_series(one.study, one.run, QUESTION)
    for scoring, series in ((PUBLISHED_SCORING, theirs), (OUR_SCORING, ours)):
        what = f"published recipe, learning rate {rate:g}, {scoring}, chunks of {block_length} tokens"
        yield Method(swept(rate, scoring), what, series, _adapters(one.study, one.run))


def _adapters(study: Study, run: RunFolder) -> tuple[Path, ...]:
    return tuple(run.adapter(week.label, seed) for week in read_corpora(run) for seed in study.train.seeds)


def swept(rate: float, scoring: str) -> str:
    """Return the name of the published recipe at one learning rate by one scoring."""
    return f"published {rate:g}, {scoring}"


def learning_rates(study: Study) -> list[float]:
    """Return the learning rates of the published recipe that the study's references need, the published one first."""
    wanted: list[float] = []
    if "published" in study.validation.references:
        wanted.append(PUBLISHED_RATE)
    if "published-best" in study.validation.references:
        wanted += study.validation.rates
    return list(dict.fromkeys(wanted))


def own_words(study: Study) -> dict[str, tuple[str, ...]]:
    """Return the options of the world's question with their own text alone."""
    items = [item for name in study.probe.questionnaires for item in questionnaire.load(name).items]
    return {option.name: (option.text,) for item in items if item.name == QUESTION for option in item.options}
