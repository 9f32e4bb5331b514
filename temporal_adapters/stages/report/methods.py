"""The paragraph a paper can start from, with the real numbers of the study, and its bibliography.

Takes the material of a report, gives Markdown and BibTeX. Says only what the study's settings and tables say; the keys
in square brackets are those of the bibliography.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

import polars as pl

from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import count, decimal, plural, signed
from temporal_adapters.stages.report.option import findings
from temporal_adapters.study.bases import cutoff_sentence

_SEES = {"document": "post", "chunk": "block", "padded": "post"}


def methods(material: Material) -> str:
    """Return `methods.md`: what was done, in words and with the numbers of this study."""
    parts = [_panel(material), _adapters(material), _questions(material)]
    parts += [_survey(material), _tests(material), _results(material)] if material.survey else []
    title = material.study.report.title or material.study.study
    text = "\n\n".join(part for part in parts if part)
    return f"# Methods: {_plain(title)}\n\n{text}\n\n{_colophon(material)}\n"


def comparison_methods(material: Material) -> str:
    """Return the same of two series that no panel and no model gave: tests and results only."""
    title = _plain(material.study.report.title or material.study.study)
    return f"# Methods: {title}\n\n{_tests(material)}\n\n{_results(material)}\n"


def bibliography(text: str) -> str:
    """Return the BibTeX entries of the keys that `text` cites, in the order of the shipped bibliography."""
    shipped = resources.files(__package__).joinpath("bibliography.bib").read_text(encoding="utf-8")
    entries = shipped.strip().split("\n\n")
    return "\n\n".join(entry for entry in entries if f"@{_key(entry)}" in text) + "\n"


def _key(entry: str) -> str:
    return entry.partition("{")[2].partition(",")[0]


def _panel(material: Material) -> str:
    weeks, study = material.weeks, material.study
    full = weeks.filter(pl.col("n_posts").is_not_null())
    if full.is_empty():
        return ""
    gaps = weeks.height - full.height
    lowest, highest = full["n_users"].min(), full["n_users"].max()
    words = (
        f"The panel holds {plural(int(full['n_posts'].sum()), 'post')} in {plural(full.height, 'week')} from "
        f"{weeks['label'][0]} to {weeks['label'][-1]} (weeks begin on {study.weeks.first_weekday.capitalize()}, "
        f"time zone {study.weeks.timezone}), written by {count(_number(lowest))} to {count(_number(highest))} users "
        "a week."
    )
    if gaps:
        words += f" {plural(gaps, 'week')} without posts stayed without an adapter and were treated as missing."
    if material.dropped:
        dropped = ", ".join(f"{_plain(reason.replace('_', ' '))} {count(n)}" for reason, n in material.dropped.items())
        words += f" Posts left out: {dropped}."
    return words


def _adapters(material: Material) -> str:
    study, train = material.study, material.study.train
    length = f"{count(train.steps)} steps" if train.steps is not None else f"{train.epochs:g} epochs"
    kind = "LoRA [@hu2022]"
    if study.model.quantization == "nf4":
        kind = "LoRA [@hu2022] on weights in 4-bit NormalFloat [@dettmers2023]"
    targets = train.targets if isinstance(train.targets, str) else ", ".join(train.targets)
    seeds = ", ".join(str(seed) for seed in train.seeds)
    text = (
        f"Following Ahnert et al. [@ahnert2025], one adapter per week and seed was fitted to the frozen base model "
        f"{_plain(material.base_name)} with {kind}: rank {train.r}, alpha {train.alpha:g}, dropout {train.dropout:g}, "
        f"target modules {_plain(targets)}, AdamW with a peak learning rate of {train.learning_rate:g} "
        f"({train.schedule} schedule), {length} of {plural(train.blocks_per_step, 'block')} of "
        f"{study.tokens.block_length} tokens, attention within each {_SEES[study.tokens.attention]}, "
        f"{plural(len(train.seeds), 'seed')} ({seeds}); {plural(len(material.adapters), 'adapter')} in total."
    )
    known = cutoff_sentence(study.model, material.weeks["week"].to_list())
    return text if known is None else f"{text} {_plain(known[:1].upper() + known[1:])}."


def _questions(material: Material) -> str:
    items = list(dict.fromkeys(item for item, _ in material.options()))
    asked = material.answers.filter(pl.col("week").is_not_null())
    wordings = asked["wording"].n_unique() if asked.height else 0
    study = material.study
    words = (
        f"Every adapter and the base model were asked {plural(len(items), 'item')} "
        f"({', '.join(map(_plain, items))}) with {plural(len(material.options()), 'answer option')}"
        + (f" in {plural(wordings, 'wording')}" if wordings else "")
        + f"; answers are the probabilities of the options (method {', '.join(study.probe.methods)}) "
        f"[@argyle2023], pooled over wordings, orders and seeds on the scale {study.series.scale}."
    )
    mass = asked["mass_valid"].drop_nulls()
    if mass.len():
        words += (
            f" The mass on valid answers before renormalising ranged from {decimal(_number(mass.min()), 3)} to "
            f"{decimal(_number(mass.max()), 3)}."
        )
    return words


def _survey(material: Material) -> str:
    rows = material.series.filter(pl.col("source") == material.survey)
    n = rows["n"].drop_nulls()
    asked = ""
    if n.len():
        asked = f" with {count(_number(n.min()))} to {count(_number(n.max()))} respondents per wave"
    return (
        f"The survey is {_plain(material.survey or '')}: {plural(rows['week'].n_unique(), 'wave')}{asked}, assigned to "
        "weeks by the date of fieldwork; weeks without a wave were treated as missing." + _survey_errors(material)
    )


def _survey_errors(material: Material) -> str:
    """Return what the survey's standard errors leave out: where nobody knows its weights they are too small."""
    settings = material.study.survey
    if settings is None or not material.series.filter(pl.col("source") == material.survey)["se"].drop_nulls().len():
        return ""
    effect = settings.design_effect
    if settings.weight is not None:
        return ""
    if effect > 1:
        return f" Its standard errors count a design effect of {effect:g}."
    return (
        " Its standard errors are those of a simple random sample (survey.design_effect: 1): weighting makes them"
        " larger, in online panels by a design effect of typically 1.2 to 1.6."
    )


def _tests(material: Material) -> str:
    facts, settings = material.results.facts if material.results else None, material.study.correlate
    if not facts:
        return ""
    lags = ", ".join(signed(lag) for lag in settings.lags)
    rate = (
        "Benjamini and Hochberg [@benjamini1995]"
        if settings.fdr == "bh"
        else "Benjamini and Yekutieli [@benjamini2001]"
    )
    return (
        f"Lags tested (weeks, positive = the model leads): {lags}. {_planned(material)} Two tests were run on "
        "unsmoothed series. Co-movement of week-to-week changes: both series are prewhitened by autoregressions, the "
        "signed ranks of their residuals multiplied, and the self-normalised sum [@dalla2022] compared with "
        "sign-flipped draws. Co-movement of levels: Pearson's r compared with that of independent autoregressive "
        f"series with the bias correction of Kilian [@kilian1998]. Each used {count(facts['draws'])} draws (seed "
        f"{facts['seed']}). p-values are adjusted for {plural(facts['family_size'], 'test')} by resampling "
        f"[@westfall1993] at a family-wise error rate of {settings.alpha:g} over both tests (one must reach half of "
        f"it, the other is read at the whole); q-values follow {rate}. A missing week takes its own pair only: the "
        "next is measured against the last week that both series have. Every verdict was tried again with the calendar "
        "(season, week of the month, four-week cycle) taken out of both series and the null draws. The test of "
        "levels assumes "
        "stationary autoregressions: a step in both series at once looks like tracking to it. Confidence "
        "intervals use effective sample sizes [@pyper1998]."
    )


def _planned(material: Material) -> str:
    frozen = material.results.plan if material.results else None
    if not frozen or not material.results:
        return "The analysis was not frozen before looking."
    words = f"Lags, tests, error rate and series were frozen before looking, on {frozen['created'][:10]}."
    if not material.results.deviations:
        return words
    listed = "; ".join(f"{_plain(one['what'])} ({_plain(one['reason'])})" for one in material.results.deviations)
    return f"{words} Deviations from the plan: {listed}."


def _results(material: Material) -> str:
    found = findings(material.results)
    if not found or not material.results:
        return ""
    verdicts = [one.verdict for one in found]
    told = ", ".join(f"{verdicts.count(name)} {name}" for name in dict.fromkeys(sorted(verdicts)))
    words = f"Of {plural(len(found), 'tested pair')} of option and lag: {told}."
    reach = material.results.facts.get("detectable_r")
    if reach is not None:
        words += f" With {material.results.facts['n_weeks']} shared weeks, correlations of changes of "
        words += f"{decimal(reach)} or more are found with 80 % power."
    return words


def _colophon(material: Material) -> str:
    packages = {name: version for one in material.manifests.values() for name, version in _packages(one.environment)}
    versions = ", ".join(f"{name} {version}" for name, version in packages.items())
    keys = ", ".join(f"{name} `{one.key[:12]}`" for name, one in material.manifests.items())
    return f"Software: {versions}.\n\nKeys of the stages: {keys}."


def _packages(environment: object) -> Sequence[tuple[str, str]]:
    found = environment.get("packages", {}) if isinstance(environment, dict) else {}
    return list(found.items())


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _plain(words: str) -> str:
    """Return text from a file without what Markdown would read as markup."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#|@" else sign for sign in " ".join(words.split()))
