"""The report of an experiment: tables as CSV, figures as SVG, and one page that needs no network.

Takes a finished experiment, gives a folder. Computes nothing itself.
"""

from __future__ import annotations

import html
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.artifacts import Expected, make, read_manifest
from temporal_adapters.study.config.experiment import Experiment
from temporal_adapters.study.config.vote import SurveyMapping
from temporal_adapters.vote import figures, grid, summary
from temporal_adapters.vote.folds import expand

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERSION = 1

_TITLES = {
    "bar": "What may be said of the language models",
    "figures": "Agreement, calibration, shares",
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
    "with the paired bootstrap's interval; q is Holm-adjusted over the language models.",
    "figures": (
        "Over all out-of-fold predictions. tvd: total variation distance to the survey's vote shares, by "
        "most probable class (argmax) and by mean probability. sd_folds: spread over folds; differences "
        "below about .03 are noise."
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

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:13px;margin:.5rem 0 1.5rem}
td,th{padding:.15rem .6rem;border-bottom:1px solid #ddd;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
h2{margin-top:2.5rem}figure{margin:1rem 0}svg{max-width:100%;height:auto}
details>summary{cursor:pointer;color:#1b6ca8}p.note{color:#555;font-size:13px}"""


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
    drawn = {name: svg(figure) for name, figure in figures.all_figures(tables).items()}
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
            table.write_csv(folder / f"{name}.csv")
        for name, image in drawn.items():
            (folder / f"{name}.svg").write_text(image, encoding="utf-8")
        _, hidden = grid.cells(experiment, mapping, root)
        text = _page(experiment, mapping, tables, drawn, hidden, weighted)
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


def svg(figure: Figure) -> str:
    """Return a figure as an SVG element, the same bytes every time."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "temporal-adapters", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _page(
    experiment: Experiment,
    mapping: SurveyMapping,
    tables: Mapping[str, pl.DataFrame],
    images: Mapping[str, str],
    hidden: tuple[str, ...],
    weighted: bool,
) -> str:
    parts = [f"<h1>{html.escape(experiment.experiment)}</h1>", f"<p>{html.escape(experiment.description)}</p>"]
    parts.append(
        f"<p>Survey: {html.escape(mapping.title or mapping.survey)}. Figures are "
        f"{'weighted' if weighted else 'unweighted'}; {experiment.folds} folds, seeds "
        f"{', '.join(map(str, experiment.seeds))}.</p>"
    )
    if hidden:
        parts.append(
            f"<p class=note>Left out, because the condition hides the own party: {html.escape(', '.join(hidden))}.</p>"
        )
    for name, title in _TITLES.items():
        if name not in tables:
            continue
        parts.append(f"<h2>{title}</h2>")
        parts += [
            f"<figure>{images[key]}</figure>"
            for key in images
            if key == name or key.startswith((f"{name}_", f"{name}-"))
        ]
        if name in _NOTES:
            parts.append(f"<p class=note>{_NOTES[name]}</p>")
        shown = _wide(tables[name]) if name == "figures" else tables[name]
        body = _table(shown)
        parts.append(body if shown.height <= 40 else f"<details><summary>{shown.height} rows</summary>{body}</details>")
    style = f"<style>{_STYLE}</style>"
    return (
        "<!doctype html><html lang=en><meta "
        f"charset=utf-8><title>{html.escape(experiment.experiment)}</title>{style}<body>{''.join(parts)}</body></html>"
    )


def _table(frame: pl.DataFrame) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in frame.columns)
    rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in frame.iter_rows())
    return f"<table><tr>{head}</tr>{rows}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        return f"<td class=n>{value:.3f}</td>" if value == value else "<td></td>"
    return f"<td class=n>{value}</td>" if isinstance(value, int) else f"<td>{html.escape(str(value))}</td>"
