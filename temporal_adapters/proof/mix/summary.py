"""What a mixing experiment found: one record of plain numbers, and the lines that people read.

Takes CURVE, gives the content of `mix.json` and text. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from temporal_adapters.proof.mix.curve import BASE_NAME, Question
from temporal_adapters.proof.mix.grid import FINAL
from temporal_adapters.proof.mix.statistics import Array, calibration, raw_error, response
from temporal_adapters.study.artifacts import Mixed

MEASURES = {"answer": "share of the answers", "pair": "share of the two answers", "log-ratio": "log of their ratio"}
"""What the share of the label is read off after calibration."""

Summary = dict[str, Any]


def summarise(curve: pl.DataFrame, question: Question) -> Summary:
    """Return everything that is said about a CURVE, as JSON values.

    Returns
    -------
    item, low, high
        What was asked, and the options that stand for the labels.
    shares, seeds, checkpoints
        Grid of the experiment; checkpoints ascending, the last is `final`.
    options
        Per option `statistics.response` of its finished adapters' answers, and ``base``, the answer without adapter.
        Steps and violations of an option that stands for no label count upwards.
    calibration
        Per measure of `MEASURES` `statistics.calibration`, and ``raw``, the mean |answer - share| before it.
    dose
        Per checkpoint `statistics.response` of the option `high`.
    """
    final = curve.filter(pl.col("checkpoint") == FINAL)
    shares = np.array(final["share"].unique().sort())
    found: Summary = {
        "item": question.item,
        "low": question.low,
        "high": question.high,
        "shares": shares.tolist(),
        "seeds": final["seed"].unique().sort().to_list(),
        "checkpoints": [name for name in curve["checkpoint"].unique(maintain_order=True) if name != BASE_NAME],
    }
    base = dict(curve.filter(pl.col("checkpoint") == BASE_NAME).select("option", "answer").iter_rows())
    found["options"] = {
        option: {**response(shares, grid(curve, option), _direction(option, question)), "base": base[option]}
        for option in question.options
    }
    found["calibration"] = dict(_calibrations(curve, question, shares))
    found["dose"] = {
        checkpoint: response(shares, grid(curve, question.high, checkpoint)) for checkpoint in found["checkpoints"]
    }
    return found


def grid(curve: pl.DataFrame, option: str, checkpoint: str = FINAL, column: str = "answer") -> Array:
    """Return one column of CURVE for an option and a checkpoint, shape (n_seeds, n_shares)."""
    rows = curve.filter(pl.col("option") == option, pl.col("checkpoint") == checkpoint).sort("seed", "share")
    return rows[column].to_numpy().reshape(rows["seed"].n_unique(), -1).astype(float)


def _direction(option: str, question: Question) -> int:
    return -1 if option == question.low else 1


def _calibrations(curve: pl.DataFrame, question: Question, shares: Array) -> Iterator[tuple[str, Any]]:
    ratio = grid(curve, question.high, column="clr") - grid(curve, question.low, column="clr")
    values = {column: grid(curve, question.high, column=column) for column in ("answer", "pair")}
    for name, measured in {**values, "log-ratio": ratio}.items():
        found = calibration(shares, measured)
        raw = raw_error(shares, measured) if name in values else None
        yield name, {**found, "predicted": found["predicted"].tolist(), "raw": raw}


def sentences(found: Mixed) -> list[str]:
    """Return a summary as lines for the terminal."""
    high, low, n_seeds = found.high, found.low, len(found.seeds)
    first, last = found.shares[0], found.shares[-1]
    lines = [
        f"{len(found.shares)} shares of {found.label_high} among posts of {found.label_low}, from {first:g} to"
        f" {last:g}; {n_seeds} {'seed' if n_seeds == 1 else 'seeds'}, {found.n_posts} posts each"
        f" ({found.origin}); question {found.item}",
        "",
        *_options(found, [high, low, *(name for name in found.options if name not in (high, low))]),
        "",
        "means over seeds; *: of the mean curve; steps: neighbouring shares between which the answer rises"
        f" ({low}: falls); not monotone: share of the variance that no monotone curve explains",
        "",
        *_calibration(found),
    ]
    if len(found.checkpoints) > 1:
        lines += ["", *_dose(found)]
    return lines


def _options(found: Mixed, names: Sequence[str]) -> list[str]:
    width = max(len(name) for name in names) + 2
    head = f"{'option':<{width}}{'base':>7}{'lowest':>8}{'highest':>8}{'spearman':>10}{'*':>7}{'pearson':>9}{'*':>7}"
    lines = [f"{head}{'steps':>7}{'not monotone':>14}   slope with 95 % interval"]
    for name in names:
        one = found.options[name]
        cells = [f"{one[key]:.3f}" for key in ("base", "at_lowest", "at_highest")]
        numbers = f"{cells[0]:>7}{cells[1]:>8}{cells[2]:>8}"
        for key, wide in (("spearman", 10), ("pearson", 9)):
            numbers += f"{_shown(one[key]['mean']):>{wide}}{_shown(one[key]['curve']):>7}"
        numbers += f"{one['steps']['mean']:>7.0%}{_shown(one['violation']['mean'], 3):>14}"
        lines.append(f"{name:<{width}}{numbers}   {_slope(one)}")
    return lines


def _slope(one: Mapping[str, Any]) -> str:
    interval = one["slope_interval"]
    words = "" if interval is None else f" [{interval[0]:+.3f}, {interval[1]:+.3f}]"
    return f"{one['slope']['mean']:+.3f}{words}"


def _calibration(found: Mixed) -> list[str]:
    lines = [f"share of {found.label_high} read off {found.high}, calibrated on the other shares:"]
    for name, words in MEASURES.items():
        one = found.calibration[name]
        raw = "" if one["raw"] is None else f"; uncalibrated mean |answer - share| {one['raw']:.3f}"
        lines.append(f"  {words:<26} RMSE {one['rmse']:.3f} (guessing {one['rmse_guess']:.3f}){raw}")
    return lines


def _dose(found: Mixed) -> list[str]:
    lines = [f"{found.high} by training steps:   spearman      *   slope with 95 % interval"]
    for name, one in found.dose.items():
        numbers = f"{_shown(one['spearman']['mean']):>10}{_shown(one['spearman']['curve']):>7}"
        lines.append(f"  {name:>{len(found.high) + 16}}   {numbers}   {_slope(one)}")
    return lines


def _shown(value: float | None, digits: int = 2) -> str:
    return "none" if value is None else f"{value:.{digits}f}"
