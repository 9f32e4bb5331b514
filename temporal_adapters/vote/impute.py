"""Imputing missing votes: m completed data sets, and shares pooled by Rubin's rules.

Takes a survey file, a mapping and one model, gives completed data sets. Knows no experiment.

Each of the m data sets draws the missing votes from the model's class probabilities. So that the draws also carry the
uncertainty about the model itself, each is made by a model fitted to another bootstrap sample of the respondents whose
vote is known (Rubin 1987, approximate Bayesian bootstrap); that is what makes the between-variance honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.ground.tables import write_csv
from temporal_adapters.study.artifacts import Expected, Manifest, digest_file, make
from temporal_adapters.study.config import Baseline, Condition, LanguageModel, SurveyMapping, scientific
from temporal_adapters.vote import baselines, inference
from temporal_adapters.vote.files import SurveyFile
from temporal_adapters.vote.folds import Case, Task, class_indices, make_task
from temporal_adapters.vote.respondents import Respondents, load

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

VERSION = 2


@dataclass(frozen=True)
class Completed:
    """Completed data sets.

    Attributes
    ----------
    frame
        respondent_id, weight, vote (null where it was missing), imputed_1 ... imputed_m (complete).
    shares
        label, observed (share among known votes), share, low, high, se, missing_information: pooled over the m sets.
    """

    frame: pl.DataFrame
    shares: pl.DataFrame


def impute(
    respondents: Respondents,
    model: Baseline | LanguageModel,
    m: int,
    seed: int,
    *,
    weighted: bool = True,
    listener: Listener = silent,
) -> Completed:
    """Return m completed data sets.

    Parameters
    ----------
    respondents
        All respondents, votes known and missing.
    model
        A tabular or language model of an experiment.
    m
        Data sets, at least 2.
    seed
        Seed of bootstrap samples and draws.
    weighted
        Pool weighted shares.

    Raises
    ------
    VoteError
        If no vote is missing, or m is too small.
    """
    if m < 2:
        raise VoteError(f"m is {m}: Rubin's rules need at least 2 completed data sets")
    missing = np.flatnonzero(respondents.frame["vote"].is_null().to_numpy())
    known = np.flatnonzero(respondents.frame["vote"].is_not_null().to_numpy())
    if not len(missing):
        raise VoteError("no vote is missing: there is nothing to impute")
    tasks = [_task(respondents, known, missing, draw, seed) for draw in range(m)]
    completed = []
    for draw, probabilities in enumerate(_predict(model, tasks, listener)):
        completed.append(_draw(respondents, missing, probabilities, np.random.default_rng([seed, draw, 1])))
        listener(Tick("impute", draw + 1, m, "data sets"))
    return Completed(_frame(respondents, completed), _shares(respondents, completed, weighted))


def _task(respondents: Respondents, known: NDArray[Any], missing: NDArray[Any], draw: int, seed: int) -> Task:
    """Return the task of one data set: a bootstrap sample that keeps every class, and the respondents to fill in."""
    rng = np.random.default_rng([seed, draw, 0])
    truth = class_indices(respondents.frame[known], respondents.mapping)
    sample = rng.choice(known, len(known))
    lost = np.setdiff1d(truth, class_indices(respondents.frame[sample], respondents.mapping))
    # A class that the sample lost could not be imputed at all: one of its members replaces a random draw.
    for place, label in zip(rng.choice(len(sample), len(lost), replace=False), lost, strict=True):
        sample[place] = rng.choice(known[truth == label])
    case = Case(f"imputation-{draw + 1}", Condition(name="imputation"))
    return make_task(respondents, case, draw, seed, sample, missing)


def _predict(model: Baseline | LanguageModel, tasks: Sequence[Task], listener: Listener) -> Any:
    if isinstance(model, Baseline):
        for task in tasks:
            yield baselines.predict(model, task)
        return
    from temporal_adapters.vote.base import load_adapted
    from temporal_adapters.vote.language import Predictor

    for prediction in Predictor(model, load_adapted(model.base), listener).predict(tasks):
        found = prediction.reading.probabilities
        unanswered = int((found.sum(axis=1) == 0).sum())
        if unanswered:
            raise VoteError(
                f"the model {model.name!r} gives no label for {unanswered} respondents: use `answers: probabilities`"
            )
        yield found


def _draw(respondents: Respondents, missing: NDArray[Any], probabilities: Any, rng: np.random.Generator) -> list[str]:
    votes = respondents.frame["vote"].to_list()
    probabilities = _possible(respondents, missing, probabilities)
    chosen = (
        probabilities.cumsum(axis=1) > rng.random((len(missing), 1)) * probabilities.sum(axis=1, keepdims=True)
    ).argmax(axis=1)
    for row, label in zip(missing, chosen, strict=True):
        votes[row] = respondents.mapping.labels[label]
    return votes


def _possible(respondents: Respondents, missing: NDArray[Any], probabilities: Any) -> Any:
    """Return the probabilities with the classes at 0 that the file rules out for a respondent.

    Raises
    ------
    VoteError
        If a model gives all of its probability to classes that are ruled out.
    """
    labels = np.array(respondents.mapping.labels)
    barred = [np.isin(labels, names) for names in respondents.frame["excluded"][missing].to_list()]
    possible = np.where(np.array(barred).reshape(len(missing), len(labels)), 0.0, probabilities)
    lost = int((possible.sum(axis=1) <= 0).sum())
    if lost:
        raise VoteError(
            f"the model gives {lost} respondents only classes that `target.known` rules out for them: use another model"
        )
    return possible


def _frame(respondents: Respondents, completed: Sequence[list[str]]) -> pl.DataFrame:
    import polars as pl

    columns = [pl.Series(f"imputed_{draw + 1}", votes) for draw, votes in enumerate(completed)]
    return respondents.frame.select("respondent_id", "weight", "vote").with_columns(columns)


def _shares(respondents: Respondents, completed: Sequence[list[str]], weighted: bool) -> pl.DataFrame:
    import polars as pl

    labels = respondents.mapping.labels
    place = {name: k for k, name in enumerate(labels)}
    weights = respondents.frame["weight"].to_numpy() if weighted else None
    pooled = inference.pool_shares(
        [np.array([place[vote] for vote in votes]) for votes in completed], len(labels), weights
    )
    known = respondents.voters().frame
    mass = known["weight"].to_numpy() if weighted else np.ones(known.height)
    observed = np.bincount(class_indices(known, respondents.mapping), weights=mass, minlength=len(labels)) / mass.sum()
    return pl.DataFrame(
        [
            {
                "label": name,
                "observed": observed[k],
                "share": one.value,
                "low": one.low,
                "high": one.high,
                "se": one.variance**0.5,
                "missing_information": one.missing_information,
            }
            for k, (name, one) in enumerate(zip(labels, pooled, strict=True))
        ]
    )


def write(
    survey: SurveyFile,
    mapping: SurveyMapping,
    model: Baseline | LanguageModel,
    folder: Path,
    m: int,
    seed: int,
    *,
    listener: Listener = silent,
) -> Manifest:
    """Publish `folder` with completed.parquet, completed.csv and shares.csv; return its manifest."""
    config = {"mapping": mapping.model_dump(mode="json"), "model": scientific(model), "m": m, "seed": seed}
    inputs = {"survey": digest_file(survey.path)}
    if isinstance(model, LanguageModel):
        from temporal_adapters.engines.model import precision
        from temporal_adapters.vote.base import digest_adapted

        inputs["base"] = digest_adapted(model.base)
        config["precision"] = precision(model.base)

    def complete(target: Path) -> dict[str, Any]:
        found = impute(load(survey, mapping), model, m, seed, weighted=mapping.weight is not None, listener=listener)
        found.frame.write_parquet(target / "completed.parquet")
        write_csv(found.frame, target / "completed.csv")
        write_csv(found.shares, target / "shares.csv")
        return {"n_imputed": int(found.frame["vote"].null_count()), "shares": found.shares.to_dicts()}

    return make(Expected(folder, "impute", VERSION, config, inputs), complete)
