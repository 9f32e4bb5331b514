"""Results as sentences in APA style.

Takes results, gives text. Knows no number format but this one.
"""

from __future__ import annotations

import math

from temporal_adapters.stages.correlate.records import Analysis, Result, Test, falls


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
    """Return one result as a sentence or a few: figures, the verdict, and what speaks against leaning on it."""
    if result.dynamics is None or result.level is None:
        return f"{result.item} / {result.option} ({lag_words(result.lag)}) was not tested."
    percent = f"{100 * confidence:g}%"
    changed = _limits(result.changes_ci_low, result.changes_ci_high)
    return (
        f"{result.item} / {result.option} ({lag_words(result.lag)}): r = {number(result.r)},"
        f" {percent} CI {_limits(result.ci_low, result.ci_high)}, n = {result.n_pairs} weeks"
        f" (effective {result.n_effective:.1f}); levels: {_p(result.level)};"
        f" changes: r = {number(result.changes_r)}, {percent} CI {changed},"
        f" T = {result.dynamics.statistic:.2f}, {_p(result.dynamics)}."
        f" Verdict: {result.verdict}{_direction(result)}."
        f"{_left_open(result, percent)}{_means(result)}{_one_week(result)}{_calendar(result)}"
    )


def _limits(low: float, high: float) -> str:
    return f"[{number(low)}, {number(high)}]"


def _left_open(result: Result, percent: str) -> str:
    """Return what a test that found no common changes could and could not have seen."""
    if result.verdict in ("tracks", "tracks weekly changes", "contradictory"):
        return ""
    seen = result.details.get("detectable_r")
    reach = "" if seen is None else f", {number(seen)} would have been found in 80% of such studies"
    return (
        " Common changes were not shown, which is no proof that there are none:"
        f" |r| of changes above {number(result.changes_excluded)} is excluded at {percent}{reach}."
    )


def _means(result: Result) -> str:
    """Return which side looks as if it had been smoothed before it came here."""
    sides = {name: result.details.get(f"mean_weeks_{name}", 1) for name in ("model", "survey")}
    named = [f"the {name} one of about {weeks} weeks" for name, weeks in sides.items() if weeks > 1]
    return f" Looks like a rolling mean: {' and '.join(named)}; test unsmoothed values." if named else ""


HEAVY = 0.25
"""Share of the raw evidence from which on one week is named beside the verdict."""


def _one_week(result: Result) -> str:
    """Return a warning where changes that count rest on one week."""
    known = result.details
    if result.verdict not in ("tracks", "tracks weekly changes", "contradictory") or "heaviest_week" not in known:
        return ""
    share, p = known["heaviest_week_share"], known["p_without_heaviest_week"]
    carried = result.dynamics is not None and p > 0.05 >= result.dynamics.p
    if share < HEAVY and not carried:
        return ""
    return (
        f" The week of {known['heaviest_week']} carries {share:.0%} of the evidence by raw products;"
        f" without it r of changes = {number(known['r_without_heaviest_week'])}, {p_value(p)}."
    )


STAYS = 0.8
"""Share of r of changes from which on a verdict that falls may do so only because regressors cost weeks."""


def _calendar(result: Result) -> str:
    """Return what is left once the calendar is taken out of both series."""
    known = result.details
    if known.get("calendar_verdict") is None:
        return ""
    left = (
        f"r of changes = {number(known['calendar_changes_r'])}, family-wise {p_value(known['calendar_p_family'])}"
        f" (changes), {p_value(known['calendar_level_p_family'])} (levels)"
    )
    if falls(result):
        want = abs(known["calendar_changes_r"]) >= STAYS * abs(result.changes_r)
        hint = ", which may be for want of weeks, as r of changes hardly moves" if want else ""
        return f" With the calendar removed the verdict falls to {known['calendar_verdict']}: {left}{hint}."
    return f" With the calendar removed: {left}."


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
    found = result.verdict in ("tracks", "tracks weekly changes", "co-trends")
    sign = result.dynamics.statistic if result.dynamics and result.verdict == "tracks weekly changes" else result.r
    return ", in the opposite direction" if found and sign < 0 else ""


def headline(analysis: Analysis) -> str:
    """Return one sentence over all tested results, with the family they belong to."""
    tested = analysis.tested
    tracking = [result for result in tested if result.verdict == "tracks"]
    facts = analysis.facts
    fallen = sum(falls(result) for result in tracking)
    calendar = f", {fallen} of them no longer with the calendar removed" if fallen else ""
    removed = f"; {', '.join(facts['adjust'])} taken out of both series" if facts.get("adjust") else ""
    return (
        f"{len(tracking)} of {len(tested)} tested pairs of option and lag track the survey{calendar}"
        f" (family-wise error rate {number(facts['alpha'])} over {facts['family_size']} pairs and both tests,"
        f" {facts['n_weeks']} shared weeks{removed}; smallest correlation of changes found with 80% power:"
        f" {number(facts['detectable_r'])})."
    )
