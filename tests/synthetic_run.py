"""Run folders of any size, made up, with every table that a report reads; used by tests and benchmarks."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from temporal_adapters.ground.dates import week_label
from temporal_adapters.ground.tables import ANSWERS, PANEL, SERIES, check
from temporal_adapters.stages import correlate, series, trust
from temporal_adapters.study.artifacts import RunFolder, publish, read_manifest, stage_key
from temporal_adapters.study.artifacts.documents import Recovery
from temporal_adapters.study.artifacts.manifest import describe_outputs, write_manifest
from temporal_adapters.study.config import Study, load_study

START = date(2023, 1, 2)
NASTY = "<script>document.title='owned'</script>"


def write_study(folder: Path, **sections: Any) -> Study:
    """Write a study file and read it."""
    document = {
        "study": "synthetic",
        "description": "A made-up study whose survey follows its adapters a week later.",
        "panel": {"paths": ["posts.csv"]},
        "survey": {"paths": ["survey.csv"], "source": "YouGov"},
        "train": {"seeds": [42, 99, 13], "steps": 10},
        "correlate": {"lags": [0, 1], "draws": 499},
        "report": {"figures": []},
        **sections,
    }
    (folder / "survey.csv").write_text("", encoding="utf-8")
    path = folder / "study.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return load_study(path, folder / "runs")


def write_run(
    study: Study,
    root: Path,
    n_weeks: int = 30,
    options: tuple[str, ...] = ("Happy", "Sad", "Stressed", "Bored"),
    gap: int | None = 17,
    adapters: bool = True,
    with_validity: bool = False,
    seed: int = 1,
) -> RunFolder:
    """Write a complete run folder of `study`, up to the lags."""
    run = RunFolder(root / study.study)
    weeks = [START + timedelta(weeks=i) for i in range(n_weeks) if i != gap]
    _write_weeks(run, weeks, gap)
    rng = np.random.default_rng(seed)
    seeds = study.train.seeds
    latent = {o: _ar1(rng, n_weeks) for o in options}
    values = {o: {s: latent[o] + rng.normal(0, 0.4, n_weeks) for s in seeds} for o in options}
    if adapters:
        for week in weeks:
            for one in seeds:
                _adapter(study, run, week_label(week), one)
    _write_answers(run, weeks, values, seeds)
    series.build(study, run, lambda: _survey(study, weeks, latent, rng))
    if study.survey is not None:
        correlate.run(study, run)
        if with_validity:
            trust.run(study, run)
    return run


def _ar1(rng: np.random.Generator, n: int) -> np.ndarray[Any, Any]:
    x = np.zeros(n)
    for i in range(1, n):
        x[i] = 0.7 * x[i - 1] + rng.normal()
    return x


def _publish(folder: Path, stage: str) -> Any:
    return _as_stage(folder, stage, {"name": folder.name}, {"x": "0" * 64})


def _as_stage(folder: Path, stage: str, config: dict[str, Any], inputs: dict[str, str]) -> Any:
    key = stage_key(stage, 1, config, inputs)
    return publish(folder, stage=stage, key=key, version=1, config=config, inputs=inputs)


def _write_weeks(run: RunFolder, weeks: list[date], gap: int | None) -> None:
    with _publish(run.weeks, "weeks") as work:
        rows = []
        for i, week in enumerate(weeks):
            end = (week + timedelta(days=6)).isoformat()
            n_posts = 900 + 37 * (i % 7)
            rows.append(
                {
                    "label": week_label(week),
                    "start": week.isoformat(),
                    "end": end,
                    "n_posts": n_posts,
                    "n_users": 300 + i,
                }
            )
            PANEL.empty().write_parquet(work.folder / f"{week_label(week)}.parquet")
        gaps = [] if gap is None else [week_label(START + timedelta(weeks=gap))]
        work.facts.update(weeks=rows, n_posts=sum(row["n_posts"] for row in rows), n_users=400, gaps=gaps)
        work.facts["dropped"] = {"repost": 120, "empty_after_cleaning": 7}


def _adapter(study: Study, run: RunFolder, label: str, seed: int) -> None:
    folder = run.adapter(label, seed)
    with _as_stage(
        folder, "train", {"train": {"r": study.train.r}, "seed": seed}, {f"{label}.parquet": "0" * 64}
    ) as work:
        (work.folder / "adapter_model.safetensors").write_bytes(b"0" * 1000)
        work.facts.update(n_tokens=40_000, n_steps=10, loss=3.2)


def _write_answers(run: RunFolder, weeks: list[date], values: Any, seeds: tuple[int, ...]) -> None:
    frames = []
    names = list(values)
    for week in weeks:
        for one in seeds:
            logits = np.array([values[o][one][(week - START).days // 7] for o in names]) * 0.3
            share = np.exp(logits) / np.exp(logits).sum()
            frames.append(
                pl.DataFrame(
                    {
                        "week": [week] * len(names),
                        "seed": [one] * len(names),
                        "adapter": [f"{week_label(week)}/seed-{one}"] * len(names),
                        "option": names,
                        "logprob": logits - 3,
                        "share": share,
                        "clr": logits - logits.mean(),
                    }
                )
            )
    base = pl.DataFrame({"option": names, "logprob": [-3.0] * len(names), "share": [1 / len(names)] * len(names)})
    base = base.with_columns(adapter=pl.lit("base"), clr=pl.lit(0.0))
    frame = pl.concat([*frames, base], how="diagonal").with_columns(
        item=pl.lit("britains-mood"),
        wording=pl.lit("survey"),
        order=pl.lit("as-written"),
        method=pl.lit("sequence"),
        role=pl.lit("substantive"),
        code=pl.lit(None, pl.String),
        value=pl.lit(None, pl.Float64),
        n_tokens=pl.lit(1, pl.Int64),
        base_logprob=pl.lit(-3.0),
        mass_valid=pl.lit(0.21),
        mass_nonresponse=pl.lit(0.01),
    )
    frame = frame.select([pl.col(name).cast(dtype) for name, dtype in ANSWERS.columns.items()])
    with _publish(run.logprobs("britains-mood", "base"), "probe") as work:
        (work.folder / "logprobs.txt").write_text("", encoding="utf-8")
    with _publish(run.answers, "answers") as work:
        check(frame, ANSWERS).write_parquet(work.folder / "answers.parquet")


def _survey(study: Study, weeks: list[date], latent: Any, rng: Any) -> list[pl.DataFrame]:
    """Return a survey that follows the latent process a week later."""
    if study.survey is None:
        return []
    rows = []
    for option, process in latent.items():
        for week in weeks:
            i = max((week - START).days // 7 - 1, 0)
            share = float(1 / (1 + np.exp(-(process[i] * 0.2 - 1 + rng.normal(0, 0.03)))))
            rows.append((study.survey.source, "britains-mood", option, week, share, 0.01, 2000))
    return [check(pl.DataFrame(rows, schema=dict(SERIES.columns), orient="row"), SERIES)]


def write_recovery(run: RunFolder, options: tuple[str, ...] = ("Happy", "Sad")) -> None:
    """Write a recovery such as a simulated study leaves behind."""
    one = {"r": 0.81, "ceiling": 0.92, "r_changes": 0.7, "n_weeks": 29}
    Recovery(0.81, 0.92, 0.88, 29, dict.fromkeys(options, one), {"train": 12.0}).write(run.root)


def rewrite(frame: pl.DataFrame, path: Path) -> None:
    """Write another table in the place of one of a finished folder, as if its stage had written it."""
    frame.write_parquet(path)
    manifest = read_manifest(path.parent)
    assert manifest is not None
    write_manifest(path.parent, replace(manifest, outputs=describe_outputs(path.parent)))
