"""The sections of the page, one function each.

Takes the material of a report, gives `Markup`. Knows no file and no style.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from temporal_adapters.ground.storage import without_places
from temporal_adapters.stages.report import charts
from temporal_adapters.stages.report.markup import Markup, element
from temporal_adapters.stages.report.material import Material
from temporal_adapters.stages.report.numbers import count, decimal, plural

el = element


def section(identifier: str, title: str, *children: Markup | str | list[Markup] | None) -> Markup:
    """Return one section with its heading."""
    heading = el("h2", title, id=f"{identifier}-title")
    return el("section", heading, *children, id=identifier, aria_labelledby=f"{identifier}-title")


def scrolling(table: Markup, words: str) -> Markup:
    """Return a table that scrolls by itself where it is too wide, by keyboard too."""
    return el("div", table, class_="scroll", tabindex="0", role="region", aria_label=words)


def overview(material: Material) -> Markup:
    """Return the head of the page: title, description, and the study in figures."""
    study, weeks = material.study, material.weeks
    seeds = {name.rpartition("seed-")[2] for name in material.adapters}
    items = {item for item, _ in material.options()}
    n_posts = int(weeks["n_posts"].sum() or 0)
    gaps = weeks.filter(pl.col("n_posts").is_null()).height
    facts = [
        (count(weeks.height - gaps), "weeks", f"{weeks['label'][0]} to {weeks['label'][-1]}"),
        (count(n_posts), "posts", f"{count(n_posts / max(weeks.height - gaps, 1))} a week"),
        (count(len(material.adapters)), "adapters", f"{plural(len(seeds), 'seed')} per week"),
        (count(len(material.options())), "answer options", plural(len(items), "item")),
    ]
    cards = [
        el("div", el("dt", words), el("dd", el("b", number), el("span", more)), class_="fact")
        for number, words, more in facts
    ]
    return el(
        "header",
        el("p", "temporal-adapters report", class_="kicker"),
        el("h1", study.report.title or study.study),
        el("p", study.description, class_="lead") if study.description else None,
        el("dl", cards, class_="facts"),
        el("p", _made_of(material), class_="note"),
    )


def _made_of(material: Material) -> str:
    study = material.study
    survey = f", compared with {study.survey.source}" if study.survey else ""
    rank = f"LoRA r = {study.train.r}, alpha = {study.train.alpha:g}"
    return f"Base model {material.base_name}, {rank}, {plural(len(study.train.seeds), 'seed')} a week{survey}."


def panel(material: Material) -> Markup | None:
    """Return posts and users per week."""
    weeks = material.weeks
    if not weeks["n_posts"].drop_nulls().len():
        return None
    figures = []
    for column, noun in (("n_posts", "posts"), ("n_users", "users")):
        values = [value or 0 for value in weeks[column]]
        known = [value for value in values if value]
        span = f"between {count(min(known))} and {count(max(known))} over {len(known)} weeks"
        words = f"{noun.capitalize()} per week: {span}."
        chart = charts.bar_chart(material.labels, values, noun, words)
        figures.append(el("figure", el("figcaption", f"{noun.capitalize()} per week"), chart))
    gaps = weeks.filter(pl.col("n_posts").is_null())["label"].to_list()
    notes = [f"No posts in {', '.join(gaps)}: these weeks have no adapter and stay gaps."] if gaps else []
    if material.breaks:
        notes.append(_broken(material))
    if material.dropped:
        parts = ", ".join(f"{reason.replace('_', ' ')} {count(n)}" for reason, n in material.dropped.items())
        notes.append(f"Posts left out when the weeks were built: {parts}.")
    return section(
        "panel", "The panel", el("div", figures, class_="pair"), [el("p", words, class_="note") for words in notes]
    )


def _broken(material: Material) -> str:
    posts = {label: n or 0 for label, n in material.weeks.select("label", "n_posts").iter_rows()}
    before = dict(zip(material.labels[1:], material.labels, strict=False))
    named = [
        f"{label} ({count(posts[before[label]])} posts the week before, then {count(posts[label])})"
        if label in before
        else label
        for label in material.breaks
    ]
    return (
        f"The volume breaks in {', '.join(named)}. Look whether the layout of the files or what was collected changed "
        "there: answers before and after may differ for that reason alone."
    )


def _in_order(material: Material, options: Mapping[str, Any]) -> list[tuple[str, Any]]:
    places = {option: place for place, (_, option) in enumerate(material.options())}
    return sorted(options.items(), key=lambda pair: places.get(pair[0], len(places)))


def recovery(material: Material) -> Markup | None:
    """Return how well a known truth was recovered, beside the ceiling of counting words."""
    known = material.recovery
    if known is None:
        return None
    rows = [
        el(
            "tr",
            el("th", option, scope="row"),
            [el("td", decimal(one.get(name)), class_="number") for name in ("r", "ceiling", "r_changes")],
            el("td", count(one.get("n_weeks")), class_="number"),
        )
        for option, one in _in_order(material, known.options)
    ]
    heads = [
        el("th", name, scope="col", class_=kind)
        for name, kind in (
            ("Option", "text"),
            ("r with the truth", "number"),
            ("ceiling", "number"),
            ("r of changes", "number"),
            ("weeks", "number"),
        )
    ]
    table = el("table", el("thead", el("tr", heads)), el("tbody", rows))
    said = (
        f"Mean r with the known truth {decimal(known.mean_r)}; counting the mood words of the same posts, with "
        f"every word known, reaches {decimal(known.ceiling_r)}."
    )
    return section(
        "recovery",
        "Recovery of the known truth",
        el("p", said, class_="finding"),
        scrolling(table, "Table of recovery"),
    )


_VOTE_FIGURES = ("accuracy", "macro_f1", "log_loss", "brier", "ece", "tvd_argmax", "tvd_mean")


def votes(material: Material) -> Markup | None:
    """Return the main table of every vote experiment that the study names."""
    if not material.votes:
        return None
    note = (
        "Out-of-fold predictions. A language model is worth its cost where it beats the models that know only which "
        "party a person identifies with; differences below about .03 are noise. All tables are in the experiment's own "
        "report."
    )
    parts = [
        [el("h3", name), scrolling(_vote_table(frame), f"Table of {name}")] for name, frame in material.votes.items()
    ]
    return section("vote", "Vote study", el("p", note, class_="note"), [part for pair in parts for part in pair])


def _vote_table(frame: pl.DataFrame) -> Markup:
    figures = list(dict.fromkeys(frame["figure"]))
    shown = [name for name in _VOTE_FIGURES if name in figures] or figures[:6]
    wide = frame.pivot("figure", index=["condition", "model", "n"], values="value", maintain_order=True)
    heads = [el("th", name, scope="col") for name in ("Condition", "Model")]
    heads += [el("th", name.replace("_", " "), scope="col", class_="number") for name in ("n", *shown)]
    rows = [
        el(
            "tr",
            el("td", row["condition"]),
            el("th", row["model"], scope="row"),
            el("td", count(row["n"]), class_="number"),
            [el("td", decimal(row[name], 3), class_="number") for name in shown],
        )
        for row in wide.iter_rows(named=True)
    ]
    return el("table", el("thead", el("tr", heads)), el("tbody", rows))


def provenance(material: Material) -> Markup:
    """Return how the report was made: versions and keys, enough to find and repeat every number."""
    some = next(iter(material.manifests.values()), None)
    environment = some.environment if some else {}
    packages = environment.get("packages", {})
    rows = [
        el(
            "tr",
            el("th", name, scope="row"),
            el("td", el("code", manifest.key[:16])),
            el("td", str(manifest.version), class_="number"),
            el("td", _inputs(manifest.inputs)),
        )
        for name, manifest in material.manifests.items()
    ]
    heads = [el("th", name, scope="col") for name in ("Stage", "Key", "Version", "Inputs")]
    adapters = [el("li", el("code", f"{name}  {manifest.key[:16]}")) for name, manifest in material.adapters.items()]
    used = [el("li", f"{name} {version}") for name, version in packages.items()]
    return section(
        "provenance",
        "How it was made",
        scrolling(el("table", el("thead", el("tr", heads)), el("tbody", rows)), "Table of stages"),
        el("p", _where(environment), class_="note"),
        el("ul", used, class_="plain"),
        el("details", el("summary", f"Keys of {plural(len(adapters), 'adapter')}"), el("ul", adapters, class_="keys"))
        if adapters
        else None,
        el("details", el("summary", "Settings of the study"), el("pre", _settings(material), tabindex="0")),
    )


def _where(environment: Mapping[str, Any]) -> str:
    names = (("python", "Python"), ("machine", ""), ("device", "device"), ("git_commit", "commit"))
    return ", ".join(f"{words} {environment[name]}".strip() for name, words in names if environment.get(name)) + "."


def _inputs(inputs: Mapping[str, str]) -> str:
    shown = ", ".join(f"{name} {digest[:8]}" for name, digest in list(inputs.items())[:4])
    return shown + (f" and {len(inputs) - 4} more" if len(inputs) > 4 else "")


def _settings(material: Material) -> str:
    """Return the study file as it was understood; of paths only the last part, so that a page can be passed on."""
    settings = without_places(material.study.model_dump(mode="json", exclude_none=True, by_alias=True))
    settings["model"]["base"] = material.base_name
    return json.dumps(settings, indent=2, ensure_ascii=False)
