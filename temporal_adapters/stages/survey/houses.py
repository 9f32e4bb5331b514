"""House effects: what pollsters add to every value they publish, taken out of a weekly series.

Takes polls with their weeks, gives the same without house effects, or a smoothed weekly series. Knows no file.

A changing mix of pollsters moves a weekly mean although nobody changed their mind; test D reads such steps as changes.

`centred`: value = week + house + error by least squares with weights 1 / se^2 (n where no error is known, else alike);
the houses' effects, with mean 0 over polls, are subtracted.
`model`: y_tj = a_t + h_j + e_tj with a_t a random walk, h_j ~ N(0, t^2) constant in time, and e_tj of known sampling
variance; both variances by maximum likelihood, a_t by the Kalman smoother (Jackman, S. (2005). Pooling the polls over
an election campaign. Australian Journal of Political Science 40, 499-517). Only weeks with a poll get a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import optimize

from temporal_adapters.ground.dates import WEEK
from temporal_adapters.ground.errors import SurveyError

Array = npt.NDArray[np.float64]

_KEY = ["item", "option", "week"]
_LEAST_SD = 1e-4
"""Standard deviation of a share (0.01 points) below which a variance of the model counts as none."""

_STARTS = ([0.01, 0.01], [0.002, 0.03])
"""Standard deviations of the weekly step and of houses (shares) from which the likelihood is climbed."""


def centred(frame: pl.DataFrame) -> pl.DataFrame:
    """Return polls with the house effects of every question and option subtracted."""
    _require_houses(frame)
    parts = [_centred(part) for _, part in frame.group_by("item", "option", maintain_order=True)]
    return pl.concat(parts)


def effects(frame: pl.DataFrame) -> dict[str, float]:
    """Return house -> effect, for the polls of one question and option."""
    houses, place = np.unique(_houses(frame), return_inverse=True)
    weeks, time = np.unique(frame["week"].to_physical().to_numpy(), return_inverse=True)
    weights = _weights(frame)
    design = np.zeros((frame.height, len(weeks) + len(houses)))
    design[np.arange(frame.height), time] = 1
    design[np.arange(frame.height), len(weeks) + place] = 1
    root = np.sqrt(weights)[:, None]
    fitted = np.linalg.lstsq(design * root, frame["value"].to_numpy() * root[:, 0], rcond=None)[0][len(weeks) :]
    fitted = fitted - (weights @ fitted[place]) / weights.sum()
    return dict(zip(map(str, houses), map(float, fitted), strict=True))


def _centred(part: pl.DataFrame) -> pl.DataFrame:
    by_house = effects(part)
    moved = [by_house[house] for house in _houses(part)]
    return part.with_columns((pl.col("value") - pl.Series(moved)).clip(0, 1).alias("value"))


def _weights(frame: pl.DataFrame) -> Array:
    if frame["se"].null_count() == 0 and (frame["se"] > 0).all():
        return 1 / frame["se"].to_numpy() ** 2
    if frame["n"].null_count() == 0:
        return frame["n"].to_numpy().astype(float)
    return np.ones(frame.height)


def modelled(frame: pl.DataFrame) -> pl.DataFrame:
    """Return one value per question, option and week: the smoothed level with its standard error.

    Raises
    ------
    SurveyError
        If a poll has no pollster or no standard error, or a question has fewer than three weeks.
    """
    _require_houses(frame)
    if frame["se"].null_count():
        row = frame.filter(pl.col("se").is_null()).row(0, named=True)
        raise SurveyError(
            f"survey.house_effects: model needs the sampling error of every poll; that of {row['start']} for"
            f" {row['option']} has no number of respondents: leave it out with survey.keep, or use centred"
        )
    return pl.concat([_modelled(part) for _, part in frame.group_by("item", "option", maintain_order=True)])


def _modelled(part: pl.DataFrame) -> pl.DataFrame:
    first, last = part["week"].min(), part["week"].max()
    if not isinstance(first, date) or not isinstance(last, date) or part["week"].n_unique() < 3:
        raise SurveyError("survey.house_effects: model needs polls in three weeks or more")
    weeks = [first + WEEK * step for step in range((last - first) // WEEK + 1)]
    values, variances = _grid(part, weeks)
    level, error = smoothed(values, variances)
    counts = dict(part.group_by("week").agg(pl.when(pl.col("n").null_count() == 0).then(pl.col("n").sum())).iter_rows())
    rows = [
        (part["item"][0], part["option"][0], week, float(np.clip(level[at], 0, 1)), float(error[at]), counts[week])
        for at, week in enumerate(weeks)
        if week in counts
    ]
    return pl.DataFrame(rows, schema={name: part.schema[name] for name in (*_KEY, "value", "se", "n")}, orient="row")


def _grid(part: pl.DataFrame, weeks: Sequence[date]) -> tuple[Array, Array]:
    """Return values and sampling variances by house and week; several polls of a house in a week are averaged."""
    houses = sorted(set(_houses(part)))
    precision, weighted = (np.zeros((len(houses), len(weeks))) for _ in range(2))
    variance = np.maximum(part["se"].to_numpy(), _LEAST_SD) ** 2
    for house, week, value, spread in zip(_houses(part), part["week"], part["value"], variance, strict=True):
        at = houses.index(house), weeks.index(week)
        precision[at] += 1 / spread
        weighted[at] += value / spread
    seen = precision > 0
    spread = np.where(seen, 1 / np.where(seen, precision, 1), 1.0)
    return np.where(seen, weighted * spread, np.nan), spread


def smoothed(values: Array, variances: Array) -> tuple[Array, Array]:
    """Return the level and its standard error, each of shape (n_weeks,).

    Parameters
    ----------
    values
        Shape (n_houses, n_weeks), NaN where a house has no poll.
    variances
        Known sampling variances, same shape.
    """
    model = _model(values, variances)
    fits = [optimize.minimize(lambda p: -model.loglike(p), np.log(start), method="Nelder-Mead") for start in _STARTS]
    found = model.smooth(min(fits, key=lambda fit: fit.fun).x, return_ssm=True)
    return np.asarray(found.smoothed_state[0]), np.sqrt(np.asarray(found.smoothed_state_cov[0, 0]))


def _model(values: Array, variances: Array) -> Any:
    from statsmodels.tsa.statespace.mlemodel import MLEModel

    n_houses, n_weeks = values.shape

    class Houses(MLEModel):
        """A random walk seen by houses that each add a constant."""

        def __init__(self) -> None:
            super().__init__(values.T, k_states=1 + n_houses, k_posdef=1)
            self["design"] = np.hstack([np.ones((n_houses, 1)), np.eye(n_houses)])
            self["transition"] = np.eye(1 + n_houses)
            self["selection", 0, 0] = 1.0
            known = np.zeros((n_houses, n_houses, n_weeks))
            known[np.arange(n_houses), np.arange(n_houses)] = variances
            self["obs_cov"] = known
            self._start(1.0)

        def _start(self, house_variance: float) -> None:
            spread = np.diag([1.0, *[house_variance] * n_houses])
            self.ssm.initialize_known(np.array([0.5, *[0.0] * n_houses]), spread)

        def update(self, params: Array, **more: Any) -> None:
            params = super().update(params, **more)
            step, house = np.exp(np.clip(params, -18, 0))
            self["state_cov", 0, 0] = step**2
            self._start(float(house**2))

        @property
        def param_names(self) -> list[str]:
            return ["log step", "log house"]

    return Houses()


def moved_by_houses(series: pl.DataFrame, raw: pl.DataFrame) -> list[str]:
    """Return one sentence per option on what taking house effects out of the raw weekly means changed."""
    both = series.join(raw, on=["item", "option", "week"], suffix="_raw").sort("item", "option", "week")
    found = []
    for (item, option), part in both.group_by("item", "option", maintain_order=True):
        values, plain = (part[name].to_numpy() for name in ("value", "value_raw"))
        most, spreads = 100 * np.abs(values - plain).max(), [100 * np.diff(one).std() for one in (values, plain)]
        found.append(
            f"{item} / {option}: without house effects the weekly value moves by at most {most:.1f} points from the raw"
            f" mean; its changes from week to week have an SD of {spreads[0]:.2f} points instead of {spreads[1]:.2f}"
        )
    return found


def _houses(frame: pl.DataFrame) -> list[str]:
    return [str(house) for house in frame["house"]]


def _require_houses(frame: pl.DataFrame) -> None:
    if frame["house"].null_count():
        raise SurveyError("survey.house_effects needs a column of pollsters in every file: name it in survey.columns")
