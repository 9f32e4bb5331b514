"""Results as sentences in APA style.

Takes results, gives text. Knows no number format but this one.
"""

from __future__ import annotations

import math

from temporal_adapters.stages.correlate.records import Analysis, Result, Test


def number(value: float, digits: int = 2) -> str:
    """Return a value between -1 and 1 without its leading zero, as APA wants it: .62, -.05, 1.00."""
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def p_value(p: float, letter: str = "p") -> str:
    """Return ``p = .012`` or ``p < .001``; rounded up, so that nothing looks smaller than it is."""
    return f"{letter} < .001" if p < 0.001 else f"{letter} = {number(math.ceil(p * 1000 - 1e-9) / 1000, 3)}"


def lag_words(lag: int) -> str:
    """Return what a lag means: positive = the model leads."""
    if lag == 0:
        return "same week"
    weeks = "1 week" if abs(lag) == 1 else f"{abs(lag)} weeks"
    return f"the model leads by {weeks}" if lag > 0 else f"the survey leads by {weeks}"


def sentence(result: Result, confidence: float = 0.95) -> str:
    """Return one result as a sentence."""
    if result.dynamics is None or result.level is None:
        return f"{result.item} / {result.option} ({lag_words(result.lag)}) was not tested."
    return (
        f"{result.item} / {result.option} ({lag_words(result.lag)}): r = {number(result.r)},"
        f" {100 * confidence:g}% CI [{number(result.ci_low)}, {number(result.ci_high)}], n = {result.n_pairs} weeks"
        f" (effective {result.n_effective:.1f}); changes: T = {result.dynamics.statistic:.2f}, {_p(result.dynamics)};"
        f" levels: {_p(result.level)}. Verdict: {result.verdict}{_direction(result)}."
    )


def invalid_line(result: Result) -> str:
    """Return the p-values of the literature with what is wrong with them."""
    shown = result.not_valid_here
    if not shown:
        return ""
    return (
        f"Not valid here, as they ignore that weeks resemble their neighbours: Pearson {p_value(shown['pearson_p'])},"
        f" Pearson after 3-week means {p_value(shown['pearson_p_of_3_week_means'])}."
    )


def _p(test: Test) -> str:
    return f"{p_value(test.p)}, family-wise {p_value(test.p_family)}, {p_value(test.q, 'q')}"


def _direction(result: Result) -> str:
    found = result.verdict in ("tracks", "tracks weekly changes", "co-trends only")
    sign = result.dynamics.statistic if result.dynamics and result.verdict == "tracks weekly changes" else result.r
    return ", in the opposite direction" if found and sign < 0 else ""


def headline(analysis: Analysis) -> str:
    """Return one sentence over all tested results, with the family they belong to."""
    tested = analysis.tested
    tracking = [result for result in tested if result.verdict == "tracks"]
    facts = analysis.facts
    return (
        f"{len(tracking)} of {len(tested)} tested pairs of option and lag track the survey"
        f" (family-wise error rate {number(facts['alpha'])} over {facts['family_size']} tests,"
        f" {facts['n_weeks']} shared weeks; smallest correlation of changes found with 80% power:"
        f" {number(facts['detectable_r'])})."
    )
