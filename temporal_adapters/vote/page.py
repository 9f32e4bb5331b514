"""The report of an experiment: tables as CSV, figures as SVG, and one page that needs no network.

Takes a finished experiment, gives a folder. Computes nothing itself.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.ground.tables import write_csv
from temporal_adapters.stages.report import Markup, as_svg, asset, element
from temporal_adapters.stages.report.markup import document
from temporal_adapters.study.artifacts import Expected, make, read_manifest
from temporal_adapters.study.config import Experiment, SurveyMapping
from temporal_adapters.vote import figures, grid, metrics, summary
from temporal_adapters.vote.folds import expand

VERSION = 2

_OPEN_ROWS = 40  # longer tables are folded, the main one never

_TITLES = {
    "bar": "What may be said of the language models",
    "figures": "Agreement, calibration, shares",
    "per_fold": "Shares and calibration, pooled and by fold",
    "mass": "Probability on the labels",
    "published": "Published reference (another sample of the same survey; not tested against)",
    "f1": "F1 by class",
    "comparisons": "Pairs of models",
    "left_out": "Identifiers of one party left out of the training part",
    "fractions": "Learning curve",
    "shares": "Vote shares",
    "subgroups": "Errors by subgroup",
    "calibration": "Calibration curves",
    "confusion": "Confusion matrices",
}

_NOTES = {
    "bar": "Each language model against the best tabular model of its condition (the bar): difference = model - bar, "
    "with the paired bootstrap's interval; q is Holm-adjusted over the language models, q_t the same for the corrected "
    "t-test over folds and seeds. A verdict needs both below .05.",
    "figures": (
        "Over all out-of-fold predictions. tvd: total variation distance to the survey's vote shares, by "
        "most probable class (argmax) and by mean probability. sd_folds: spread over folds; differences "
        "below about .03 are noise."
    ),
    "per_fold": (
        "floor: what the figure comes to by chance alone under a right model, in all respondents or in one fold. "
        "A figure at its floor cannot tell models apart; errors of opposite folds cancel out in the pooled one."
    ),
    "mass": (
        "Probability of all labels together before it is renormalised to 1, and respondents without any label. "
        "Below 5 % the shares describe a corner of what the model would say: a prompt that it does not take for a "
        "question, or labels that it would not write."
    ),
    "comparisons": (
        "difference = first - second. p: paired bootstrap over respondents; p_t: corrected resampled "
        "t-test (Nadeau and Bengio 2003); q, q_t: Holm-adjusted over all pairs of the condition."
    ),
    "left_out": (
        "accuracy_identifiers: share of the left-out party's identifiers who are predicted correctly. "
        "Models that know an own party as such (own-party-logit, conditional-logit) are the bar a "
        "language model must clear."
    ),
    "shares": "difference = mean probability - survey.",
}


def write(
    experiment: Experiment, mapping: SurveyMapping, root: Path, *, weighted: bool = False, draws: int = 2000
) -> Path:
    """Publish ``<root>/report`` (``report-weighted`` with the survey weights) and return it.

    Raises
    ------
    VoteError
        If folds are missing or stale, or weights are asked for and the mapping has none.
    """
    if weighted and mapping.weight is None:
        raise VoteError(f"the mapping {mapping.survey!r} names no weight column")
    votes = grid.collect(experiment, mapping, root)
    respondents = pl.read_parquet(root / "respondents" / "respondents.parquet")
    tables = summary.all_tables(
        votes,
        respondents,
        expand(experiment.conditions, mapping),
        mapping.labels,
        weighted=weighted,
        published=experiment.published,
        draws=draws,
        tabular=[model.name for model in experiment.baselines],
        n_train=grid.training_sizes(experiment, mapping, root),
    )
    mass = grid.label_mass(experiment, mapping, root)
    if mass.height:
        tables["mass"] = mass
    drawn = {name: as_svg(figure) for name, figure in figures.all_figures(tables).items()}
    config = {
        "experiment": experiment.model_dump(mode="json"),
        "mapping": mapping.survey,
        "weighted": weighted,
        "draws": draws,
    }
    inputs = _inputs(root)
    target = root / ("report-weighted" if weighted else "report")

    def write(folder: Path) -> None:
        for name, table in tables.items():
            write_csv(table, folder / f"{name}.csv")
        for name, image in drawn.items():
            (folder / f"{name}.svg").write_text(image, encoding="utf-8")
        _, hidden = grid.cells(experiment, mapping, root)
        text = _page(experiment, mapping, tables, drawn, hidden, weighted, respondents)
        (folder / "index.html").write_text(text, encoding="utf-8")

    make(Expected(target, "vote-report", VERSION, config, inputs), write)
    return target


def _inputs(root: Path) -> dict[str, str]:
    keys = {}
    for path in sorted((root / "votes").glob("*/*/fold-*/manifest.json")):
        manifest = read_manifest(path.parent)
        if manifest is not None and ".partial" not in path.parent.name and ".stale" not in path.parent.name:
            keys[path.parent.relative_to(root).as_posix()] = manifest.key
    return keys


def main_table(folder: Path) -> pl.DataFrame:
    """Return one row per condition and model with the main figures, from a written report."""
    return _wide(pl.read_csv(folder / "figures.csv"))


def _wide(table: pl.DataFrame) -> pl.DataFrame:
    return table.pivot("figure", index=["condition", "model", "n"], values="value", maintain_order=True)


def _page(
    experiment: Experiment,
    mapping: SurveyMapping,
    tables: Mapping[str, pl.DataFrame],
    images: Mapping[str, str],
    hidden: tuple[str, ...],
    weighted: bool,
    respondents: pl.DataFrame,
) -> str:
    weights = "weighted" if weighted else "unweighted"
    seeds = ", ".join(map(str, experiment.seeds))
    head = [
        element("p", "Vote study", class_="kicker"),
        element("h1", experiment.experiment),
        element("p", experiment.description, class_="lead") if experiment.description else None,
        element(
            "p",
            f"Survey: {mapping.title or mapping.survey}. Figures are {weights}; {experiment.folds} folds, "
            f"seeds {seeds}. {_people(respondents)}",
        ),
    ]
    if hidden:
        names = ", ".join(hidden)
        head.append(element("p", f"Left out, because the condition hides the own party: {names}.", class_="note"))
    body = [_section(name, title, tables[name], images) for name, title in _TITLES.items() if name in tables]
    return document(
        experiment.experiment,
        [element("header", head), element("main", body, id="content")],
        style=asset("page.css"),
    )


def _people(respondents: pl.DataFrame) -> str:
    weights = respondents["weight"].to_numpy()
    if (weights == weights[0]).all():
        return f"{len(weights):,} respondents."
    return (
        f"{len(weights):,} respondents, with their weights as many as {metrics.n_effective(weights):,.0f} (Kish 1965)."
    )


def _section(name: str, title: str, table: pl.DataFrame, images: Mapping[str, str]) -> Markup:
    drawn = [one for key, one in images.items() if key == name or key.startswith((f"{name}_", f"{name}-"))]
    shown = _wide(table) if name == "figures" else table
    rows = element("div", _table(shown), class_="wide", tabindex="0", role="region", aria_label=title)
    if name != "figures" and shown.height > _OPEN_ROWS:
        rows = element("details", element("summary", f"{shown.height} rows"), rows)
    return element(
        "section",
        element("h2", title),
        [element("figure", element("img", src=_inside(image), alt=f"Figure: {title}")) for image in drawn],
        element("p", _NOTES[name], class_="note") if name in _NOTES else None,
        rows,
    )


def _inside(image: str) -> str:
    """Return a drawing as an image's address: as an element, the page's policy would forbid its styles."""
    return f"data:image/svg+xml;base64,{base64.b64encode(image.encode()).decode()}"


def _table(frame: pl.DataFrame) -> Markup:
    head = element("tr", [element("th", name, scope="col") for name in frame.columns])
    return element("table", head, [element("tr", [_cell(value) for value in row]) for row in frame.iter_rows()])


def _cell(value: Any) -> Markup:
    if value is None or value != value:
        return element("td")
    if isinstance(value, float):
        return element("td", f"{value:.3f}", class_="n")
    return element("td", value, class_="n") if isinstance(value, int) else element("td", str(value))
