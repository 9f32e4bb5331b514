"""Answers to curves: what every option gets from the adapters of every share.

Takes ANSWERS and the mixes, gives the table CURVE. Knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from temporal_adapters.ground import tables
from temporal_adapters.ground.errors import MixError
from temporal_adapters.proof.mix.draw import Mixture
from temporal_adapters.proof.mix.grid import FINAL, names
from temporal_adapters.study.config import Mix
from temporal_adapters.study.questionnaire import Item, Questionnaire

CURVE = tables.Schema(
    name="CURVE",
    columns={
        "share": pl.Float64,
        "seed": pl.Int64,
        "checkpoint": pl.String,
        "option": pl.String,
        "answer": pl.Float64,
        "clr": pl.Float64,
        "pair": pl.Float64,
    },
    key=("share", "seed", "checkpoint", "option"),
    nullable=frozenset({"share", "seed", "pair"}),
    ranges={"share": (0.0, 1.0), "answer": (0.0, 1.0), "pair": (0.0, 1.0)},
)
"""One row per mix x checkpoint x option: share of the label in the posts, the option's share of all substantive answers
and its centred log-ratio (means over wordings and orders), and its share of the two options that stand for the labels
(null for others). `checkpoint` is a step, `final`, or `base` (the model without adapter: share and seed are null)."""

BASE_NAME = "base"


@dataclass(frozen=True)
class Question:
    """What is read from the answers.

    Attributes
    ----------
    item, options
        The item and its substantive options.
    low, high
        The options that stand for the labels.
    """

    item: str
    options: tuple[str, ...]
    low: str
    high: str


def find_question(questionnaires: Sequence[Questionnaire], settings: Mix) -> Question:
    """Return the item and the options that stand for the two labels.

    Raises
    ------
    MixError
        If no item has both options, or several have and the settings do not choose.
    """
    items = [item for one in questionnaires for item in one.items]
    if settings.item is not None:
        items = [item for item in items if item.name == settings.item]
        if not items:
            known = ", ".join(item.name for one in questionnaires for item in one.items)
            raise MixError(f"mix.item: the study's questionnaires ask no {settings.item!r} (they ask {known})")
    found = [question for item in items if (question := _question(item, settings)) is not None]
    if len(found) > 1:
        raise MixError(f"mix.item: {' and '.join(one.item for one in found)} have both options: name one of them")
    if not found:
        raise MixError(_no_question(items, settings))
    return found[0]


def _question(item: Item, settings: Mix) -> Question | None:
    options = tuple(option.name for option in item.options if option.role == "substantive")
    low = _option(options, settings.low_option, settings.low)
    high = _option(options, settings.high_option, settings.high)
    if low is None or high is None:
        return None
    if low == high:
        raise MixError(f"the labels {settings.low!r} and {settings.high!r} both stand for the option {low!r}")
    return Question(item.name, options, low, high)


def _option(options: Sequence[str], given: str | None, label: str) -> str | None:
    wanted = label if given is None else given
    return next((name for name in options if name == wanted or name.casefold() == wanted.casefold()), None)


def _no_question(items: Sequence[Item], settings: Mix) -> str:
    known = list(dict.fromkeys(o.name for item in items for o in item.options if o.role == "substantive"))
    for place, given, label in (
        ("low", settings.low_option, settings.low),
        ("high", settings.high_option, settings.high),
    ):
        if _option(known, given, label) is None:
            said = f"the label {label!r}" if given is None else f"mix.{place}_option {given!r}"
            advice = f"say which one stands for it with --{place}-option ({', '.join(known)})"
            return f"no option is called like {said}: {advice}"
    return "no item has the options of both labels: choose options of one item with --low-option and --high-option"


def curve(
    answers: pl.DataFrame, question: Question, method: str, mixes: Sequence[Mixture], wordings: Sequence[str] = ()
) -> pl.DataFrame:
    """Return the CURVE of all mixes and of the base.

    Parameters
    ----------
    answers
        ANSWERS of the experiment; `adapter` is a name of `grid.names`, or ``base``.
    question
        Item and options.
    method
        Scoring method.
    mixes
        The mixes.
    wordings
        Wordings to average over; empty means all.

    Raises
    ------
    MixError
        If no answer to the item was scored by the method, in one of the wordings.
    """
    steps = [int(name.rpartition("step-")[2]) for name in answers["adapter"].unique() if "/step-" in name]
    places = pl.DataFrame(
        [
            {"adapter": name, "share": mixture.share, "seed": mixture.seed, "checkpoint": checkpoint}
            for mixture in mixes
            for name, checkpoint in names(mixture, sorted(set(steps))).items()
        ]
        + [{"adapter": BASE_NAME, "share": None, "seed": None, "checkpoint": BASE_NAME}],
        schema={"adapter": pl.String, "share": pl.Float64, "seed": pl.Int64, "checkpoint": pl.String},
    )
    asked = answers.filter(
        pl.col("item") == question.item, pl.col("method") == method, pl.col("option").is_in(question.options)
    )
    if wordings:
        asked = asked.filter(pl.col("wording").is_in(list(wordings)))
    if asked.is_empty():
        raise MixError(
            f"no answer to {question.item} was scored by {method!r} in a wording of series.wordings: set"
            " series.method to one that fits its wordings, or mix.item to another question"
        )
    means = asked.group_by("adapter", "option").agg(pl.col("share").mean().alias("answer"), pl.col("clr").mean())
    labelled = [question.low, question.high]
    both = means.filter(pl.col("option").is_in(labelled)).group_by("adapter").agg(pl.col("answer").sum().alias("both"))
    found = means.join(places, on="adapter").join(both, on="adapter")
    pair = pl.when(pl.col("option").is_in(labelled)).then(pl.col("answer") / pl.col("both"))
    order = {name: place for place, name in enumerate(question.options)}
    found = found.with_columns(pair=pair).sort(
        pl.col("checkpoint").replace_strict({BASE_NAME: -1, FINAL: 2**31}, default=pl.col("checkpoint")).cast(pl.Int64),
        "share",
        "seed",
        pl.col("option").replace_strict(order, return_dtype=pl.Int64),
    )
    return tables.check(found.select(list(CURVE.columns)), CURVE, "curve")
