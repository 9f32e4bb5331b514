"""Lists of polls: long and wide, several versions of a poll, house effects against brute force and statsmodels."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import statsmodels.formula.api as smf
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages import survey
from temporal_adapters.stages.survey import houses
from temporal_adapters.study.config.survey import Survey

LONG = """poll_id,pollster,population,start_date,end_date,sample_size,answer,pct
1,A,lv,4/3/23,4/5/23,1000,Yes,44
1,A,lv,4/3/23,4/5/23,1000,No,50
1,A,a,4/3/23,4/5/23,1400,Yes,40
1,A,a,4/3/23,4/5/23,1400,No,54
2,B,rv,4/11/23,4/15/23,3000,Yes,40
2,B,rv,4/11/23,4/15/23,3000,No,52
"""


def read(path: Path, **settings: object) -> pl.DataFrame:
    return survey.read(Survey.model_validate({"paths": [path], **settings}))


def notes(path: Path, **settings: object) -> str:
    return "\n".join(survey.read_observations(Survey.model_validate({"paths": [path], **settings})).notes)


def test_several_populations_of_a_poll_are_pooled_within_it_or_chosen_by_preference(tmp_path: Path) -> None:
    path = tmp_path / "approval.csv"
    path.write_text(LONG)
    yes = read(path, date_format="%m/%d/%y").filter(option="Yes")
    assert yes["value"][0] == pytest.approx((1000 * 0.44 + 1400 * 0.40) / 2400)
    assert "2 answers have several values in one poll" in notes(path, date_format="%m/%d/%y")
    chosen = read(path, date_format="%m/%d/%y", one_of={"population": ["lv", "rv", "a"]}).filter(option="Yes")
    assert chosen["value"].to_list() == pytest.approx([0.44, 0.40])
    assert "of 2 polls 2 have one of lv, rv, a in 'population'; 4 of 6 rows are used" in notes(
        path, one_of={"population": ["lv", "rv", "a"]}, date_format="%m/%d/%y"
    )
    with pytest.raises(SurveyError, match="none of xv occurs in 'population'; there are a, lv, rv"):
        read(path, one_of={"population": ["xv"]}, date_format="%m/%d/%y")


def test_a_wide_list_with_a_column_per_party_needs_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "parties.csv"
    path.write_text(
        "Institut;Start;Ende;Befragte;SPD;Grüne;Auftraggeber\n"
        "Forsa;03.04.2023;05.04.2023;2.501;18,5;14;RTL\nINSA;13.04.2023;15.04.2023;1 200;19;14,5;Bild\n",
        encoding="cp1252",
    )
    settings = {"columns": {"end": "Ende", "n": "Befragte"}, "decimal": ",", "question": "vote"}
    found = read(path, **settings).filter(option="SPD")
    assert found["value"].to_list() == pytest.approx([0.185, 0.19])
    assert found["n"].to_list() == [2501, 1200]
    assert set(read(path, **settings)["option"]) == {"SPD", "Grüne"}


def test_rows_of_polls_that_cannot_be_used_are_counted_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(LONG + "3,C,lv,tba,,900,Yes,43\n")
    with pytest.raises(SurveyError, match="'tba' in row 8"):
        read(path, date_format="%m/%d/%y")
    settings = {"max_bad_rows": 0.2, "date_format": "%m/%d/%y"}
    assert "1 of 7 rows without a readable day or value are left out" in notes(path, **settings)


def simulated(seed: int, n_weeks: int = 60) -> tuple[pl.DataFrame, np.ndarray, dict[str, float]]:
    """Polls of three houses whose mix changes half-way, around a level that barely moves."""
    rng = np.random.default_rng(seed)
    level = 0.45 + np.cumsum(rng.normal(0, 0.003, n_weeks))
    added = {"A": 0.03, "B": -0.03, "C": 0.0}
    rows = []
    for week in range(n_weeks):
        for house in "AC" if week < n_weeks // 2 else "BC":
            share = level[week] + added[house]
            n = 1000
            value = rng.binomial(n, share) / n
            day = date(2020, 1, 6) + timedelta(weeks=week)
            rows.append((house, "q", "Yes", day, day, value, (value * (1 - value) / n) ** 0.5, n))
    columns = ["house", "item", "option", "week", "start", "value", "se", "n"]
    return pl.DataFrame(rows, schema=columns, orient="row"), level, added


def test_centred_house_effects_are_those_of_weighted_least_squares() -> None:
    frame, _, _ = simulated(1)
    # The second source: statsmodels' formula interface with dummies of weeks and houses.
    table = frame.to_pandas()
    table["w"] = 1 / table.se**2
    fit = smf.wls("value ~ C(week) + C(house)", data=table, weights=table.w).fit()
    raw = {"A": 0.0, "B": fit.params["C(house)[T.B]"], "C": fit.params["C(house)[T.C]"]}
    centre = sum(table.w * table.house.map(raw)) / table.w.sum()
    assert houses.effects(frame) == pytest.approx({house: value - centre for house, value in raw.items()}, abs=1e-9)
    assert houses.centred(frame)["value"].mean() == pytest.approx(frame["value"].mean(), abs=1e-3)


def test_the_model_follows_the_level_through_a_change_of_houses() -> None:
    errors = {"raw": [], "model": [], "covered": []}
    for seed in range(4):
        frame, level, added = simulated(seed)
        raw = frame.group_by("week", maintain_order=True).agg(pl.col("value").mean())["value"].to_numpy()
        model = houses.modelled(frame)
        # Houses are known up to a constant that all share: centre both.
        shift = np.mean(list(added.values()))
        found = model["value"].to_numpy() - shift
        errors["raw"].append(np.std(np.diff(raw - level)))
        errors["model"].append(np.std(np.diff(found - level)))
        drift = abs((found[-1] - found[0]) - (level[-1] - level[0]))
        assert drift < abs((raw[-1] - raw[0]) - (level[-1] - level[0]))
    assert np.mean(errors["model"]) < 0.5 * np.mean(errors["raw"])
    assert set(model.columns) == {"item", "option", "week", "value", "se", "n"}


def test_the_model_without_houses_is_the_local_level_of_statsmodels() -> None:
    """One house, equal variances: the smoothed level of UnobservedComponents with the same variances."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    rng = np.random.default_rng(3)
    level = 0.4 + np.cumsum(rng.normal(0, 0.01, 80))
    variance = 0.4 * 0.6 / 1000
    values = level + rng.normal(0, variance**0.5, 80)
    found, _ = houses.smoothed(values[None, :], np.full((1, 80), variance))
    model = UnobservedComponents(values, "llevel", use_exact_diffuse=True)
    steps = np.exp(np.linspace(np.log(0.002), np.log(0.05), 60))
    best = max(steps, key=lambda step: model.loglike([variance, step**2]))
    reference = model.smooth([variance, best**2]).smoothed_state[0]
    centred = [series - series.mean() for series in (found, reference)]
    assert np.abs(centred[0] - centred[1]).max() < 0.003


def test_house_effects_without_pollsters_or_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("date,question,option,value,n\n2023-04-03,q,a,0.4,900\n")
    with pytest.raises(SurveyError, match="needs a column of pollsters"):
        read(path, house_effects="centred")
    frame, _, _ = simulated(1)
    with pytest.raises(SurveyError, match="has no number of respondents"):
        houses.modelled(frame.with_columns(pl.lit(None, pl.Float64).alias("se")))


def test_the_check_shows_the_raw_mean_beside_the_series_without_houses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    frame, _, _ = simulated(1)
    rows = [f"{house},{day},{day},{n},Yes,{100 * value:.1f}" for house, day, value, n in
            frame.select("house", "start", "value", "n").rows()]  # fmt: skip
    (tmp_path / "p.csv").write_text("\n".join(["pollster,start_date,end_date,sample_size,answer,pct", *rows]))
    (tmp_path / "study.yaml").write_text(
        "study: s\npanel: {paths: [p]}\nsurvey: {paths: [p.csv], house_effects: centred}\n"
    )
    done = CliRunner().invoke(app, ["survey", "check", "-s", "study.yaml"])
    assert done.exit_code == 0, done.output
    assert "p / Yes: without house effects the weekly value moves by at most" in done.output
