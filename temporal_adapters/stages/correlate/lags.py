"""Results as tables and JSON.

Takes an analysis, gives `LAGS`, a wide table of tested results, and one JSON document. Knows no file.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import polars as pl

from temporal_adapters.ground import tables
from temporal_adapters.stages.correlate.records import Analysis, Result, Test
from temporal_adapters.stages.correlate.sentences import headline, invalid_line, sentence
from temporal_adapters.study.artifacts import Results

_NOT_A_CORRELATION = frozenset({"adl-hc3"})
"""Alternates whose estimate is another statistic: it stands in results.json, not in the column r."""


def lags_table(analysis: Analysis) -> pl.DataFrame:
    """Return LAGS: method `level` (Pearson's r of levels) and `dynamics` (signed ranks of prewhitened changes).

    Every shown lag has r and its interval; p and q stand at tested lags only.
    """
    rows = []
    for result in analysis.results:
        rows.append(_row(result, "level", result.r, result.n_pairs, result.ci_low, result.ci_high, result.level))
        interval = (result.changes_ci_low, result.changes_ci_high)
        rows.append(_row(result, "dynamics", result.changes_r, result.changes_n, *interval, result.dynamics))
        rows += [_alternate_row(result, name) for name in result.alternates]
    frame = pl.DataFrame(rows, schema=dict(tables.LAGS.columns), orient="row")
    return tables.check(frame.sort("item", "option", "method", "lag"), tables.LAGS)


def _row(result: Result, method: str, r: float, n: int, low: float, high: float, test: Test | None) -> tuple[Any, ...]:
    known = math.isfinite(r)
    return (
        result.item,
        result.option,
        result.lag,
        r if known else None,
        n,
        low if known else None,
        high if known else None,
        test.p if test else None,
        test.q if test else None,
        method,
    )


def _alternate_row(result: Result, name: str) -> tuple[Any, ...]:
    found = result.alternates[name]
    r = None if name in _NOT_A_CORRELATION else found.estimate
    interval = (found.ci_low, found.ci_high)
    return (result.item, result.option, result.lag, r, found.n, *interval, found.p, None, name)


def results_table(analysis: Analysis) -> pl.DataFrame:
    """Return one wide row per tested option and lag, for a spreadsheet."""
    rows = []
    for result in analysis.tested:
        row = {key: value for key, value in asdict(result).items() if not isinstance(value, dict)}
        for name, test in (("dynamics", result.dynamics), ("level", result.level)):
            row |= {f"{name}_{key}": value for key, value in asdict(test).items()} if test else {}
        details = {key: value for key, value in result.details.items() if not isinstance(value, dict)}
        rows.append({**row, **details})
    return pl.DataFrame(rows, infer_schema_length=None)


def document(analysis: Analysis, confidence: float) -> Results:
    """Return everything as one document; numbers that do not exist are null."""
    results = [
        {**asdict(result), "sentence": sentence(result, confidence), "not_valid_sentence": invalid_line(result)}
        for result in analysis.results
    ]
    return Results(headline(analysis), _jsonable(dict(analysis.facts)), [_jsonable(result) for result in results])


def _jsonable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
