"""Experiments on disk: resumed, refused when incomplete, reported, and used to impute."""

from __future__ import annotations

import dataclasses
import html
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner
from vote_worlds import GLES, gles_document, gles_file, small_mapping, tiny_base

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import VoteError
from temporal_adapters.ground.tables import VOTES
from temporal_adapters.ground.tables import check as check_table
from temporal_adapters.study.config.experiment import Baseline, Experiment, LanguageModel
from temporal_adapters.study.config.vote import SurveyMapping, load_mapping
from temporal_adapters.vote import (
    arrays,
    baselines,
    experiment,
    figures,
    files,
    folds,
    grid,
    impute,
    language,
    page,
    respondents,
    specimen,
    summary,
)

BASIC: dict[str, Any] = {
    "experiment": "small",
    "survey": GLES,
    "folds": 3,
    "conditions": [
        {"name": "full"},
        {"name": "without", "leave_out_party": "CDU/CSU"},
        {"name": "part", "fractions": [0.25, 1]},
        {"name": "blind", "without_items": ["party_id"]},
    ],
    "baselines": ["party-id", *({"model": model, "tune": False} for model in ("conditional-logit", "logit"))],
    "published": "gpt-3.5-gles2017",
}


def settings(**changes: Any) -> Experiment:
    return Experiment.model_validate({**BASIC, **changes})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[files.SurveyFile, Path]:
    """A survey file and the folder of a finished experiment on it."""
    folder = tmp_path_factory.mktemp("world")
    survey = gles_file(folder, ".sav", 700)
    outcome = experiment.Run(settings(), load_mapping(GLES), survey, folder / "small").run()
    assert (outcome.done, outcome.skipped) == (5 * 3 * 3 - 2 * 3, 0)
    assert outcome.hidden == ("blind/party-id", "blind/conditional-logit")
    return survey, folder / "small"


def test_a_finished_experiment_is_a_valid_table_of_votes(world: Any) -> None:
    votes = grid.collect(settings(), load_mapping(GLES), world[1])
    assert check_table(votes, VOTES).height
    labels = load_mapping(GLES).labels
    assert votes.select(pl.sum_horizontal([f"p_{name}" for name in labels])).to_series().to_numpy() == pytest.approx(1)
    counts = votes.group_by("condition", "model").agg(pl.col("respondent_id").n_unique().alias("n"))
    assert counts["n"].n_unique() == 1


def test_a_second_run_computes_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "predict", lambda *_: pytest.fail("a finished fold was computed again"))
    outcome = experiment.Run(settings(), load_mapping(GLES), *world).run()
    assert (outcome.done, outcome.skipped) == (0, 39)


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small = settings(conditions=[{"name": "full"}])
    real, calls = baselines.predict, []

    def dies(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(baselines, "predict", dies)
    with pytest.raises(KeyboardInterrupt):
        experiment.Run(small, load_mapping(GLES), world[0], tmp_path / "small").run()
    with pytest.raises(VoteError, match=r"5 of 9 folds are missing \(first full/conditional-logit/fold-1\)"):
        grid.collect(small, load_mapping(GLES), tmp_path / "small")
    monkeypatch.setattr(baselines, "predict", real)
    outcome = experiment.Run(small, load_mapping(GLES), world[0], tmp_path / "small").run()
    assert (outcome.done, outcome.skipped) == (5, 4)
    undisturbed = grid.collect(settings(), load_mapping(GLES), world[1]).filter(pl.col("condition") == "full")
    assert grid.collect(small, load_mapping(GLES), tmp_path / "small").equals(undisturbed)


def test_another_coding_makes_folds_stale_and_a_report_is_refused(world: Any) -> None:
    document = gles_document()
    document["items"][0]["minimum"] = 15
    plan = experiment.Run(settings(), SurveyMapping.model_validate(document), *world).plan()
    assert plan.done == 39 and "mapping.items" in plan.stale["full/logit-ordinal/fold-0"][0]
    with pytest.raises(VoteError, match="39 of 39 folds are of other settings"):
        grid.collect(settings(), SurveyMapping.model_validate(document), world[1])


def test_a_title_and_words_that_no_tabular_model_reads_leave_its_folds_alone(world: Any) -> None:
    document = gles_document()
    document["title"], document["prompt"]["answer"] = "Another title", {"en": "Choice:", "de": "Wahl:"}
    document["items"][0]["question"]["en"] = "Years"
    changed = SurveyMapping.model_validate(document)
    assert experiment.Run(settings(), changed, *world).plan().done == 0
    cell = grid.cells(settings(), changed, world[1])[0][0]
    asked = dataclasses.replace(cell, model=LanguageModel(name="z", mode="zero-shot"))
    before, after = (grid.cell_config(asked, settings(), one) for one in (load_mapping(GLES), changed))
    assert before != after and "Years" in str(after) and "Another title" not in str(after)


def test_the_tables_agree_with_each_other_and_with_hand_counts(world: Any) -> None:
    mapping = load_mapping(GLES)
    votes = grid.collect(settings(), mapping, world[1])
    people = pl.read_parquet(world[1] / "respondents" / "respondents.parquet")
    cases = folds.expand(settings().conditions, mapping)
    tables = summary.all_tables(votes, people, cases, mapping.labels, published="gpt-3.5-gles2017", draws=100)
    rows = votes.filter((pl.col("condition") == "full") & (pl.col("model") == "logit-ordinal"))
    chosen = tables["figures"].filter(
        (pl.col("condition") == "full") & (pl.col("model") == "logit-ordinal") & (pl.col("figure") == "accuracy")
    )
    assert chosen["value"][0] == pytest.approx((rows["vote"] == rows["predicted"]).mean())
    assert chosen["low"][0] < chosen["value"][0] < chosen["high"][0]
    identifiers = people.filter(pl.col("own_party") == "CDU/CSU")["respondent_id"].to_list()
    cut = votes.filter(
        (pl.col("condition") == "without")
        & (pl.col("model") == "party-id")
        & pl.col("respondent_id").is_in(identifiers)
    )
    left = tables["left_out"].filter(pl.col("model") == "party-id")
    assert left["accuracy_identifiers"][0] == pytest.approx((cut["vote"] == cut["predicted"]).mean())
    assert tables["shares"].filter((pl.col("condition") == "full") & (pl.col("model") == "party-id"))[
        "survey"
    ].sum() == pytest.approx(1)
    assert tables["confusion"].group_by("condition", "model").agg(pl.col("n").sum())["n"].unique().to_list() == [
        people.height
    ]
    assert "GPT-3.5 (published)" in tables["f1"]["model"].to_list()
    assert set(figures.all_figures(tables)) >= {"f1", "left_out", "fractions", "calibration", "shares"}


def test_pairs_are_adjusted_by_holm_within_their_condition(world: Any) -> None:
    mapping = load_mapping(GLES)
    votes = grid.collect(settings(), mapping, world[1])
    parts = arrays.as_parts(votes, mapping.labels, weighted=True)
    drawn = {name: arrays.draw(models, 8, 100) for name, models in parts.items()}
    table = summary.comparisons(parts, drawn)
    assert table.filter(pl.col("condition") == "full").height == 2 * 3
    assert table.filter(pl.col("condition") == "blind").height == 0
    assert (table["q"] >= table["p"]).all() and (table["q_t"] >= table["p_t"]).all()


def test_weighted_figures_use_the_survey_weights(world: Any) -> None:
    mapping = load_mapping(GLES)
    votes = grid.collect(settings(), mapping, world[1]).filter(pl.col("condition") == "full")
    parts = arrays.as_parts(votes, mapping.labels, weighted=True)
    drawn = {name: arrays.draw(models, 8, 100) for name, models in parts.items()}
    table = summary.figures(parts, drawn)
    rows = votes.filter(pl.col("model") == "party-id")
    hits = (rows["vote"] == rows["predicted"]).to_numpy()
    value = table.filter((pl.col("model") == "party-id") & (pl.col("figure") == "accuracy"))["value"][0]
    assert value == pytest.approx(np.average(hits, weights=rows["weight"].to_numpy()))
    assert value != pytest.approx(hits.mean(), abs=1e-6)


def test_the_bar_is_the_best_tabular_model_and_every_other_one_is_held_against_it(world: Any) -> None:
    mapping = load_mapping(GLES)
    votes = grid.collect(settings(), mapping, world[1])
    parts = arrays.as_parts(votes, mapping.labels, weighted=False)
    drawn = {name: arrays.draw(models, 8, 200) for name, models in parts.items()}
    table = summary.bar(parts, drawn, ["party-id", "conditional-logit"])
    cut = table.filter((pl.col("condition") == "without") & (pl.col("figure") == "accuracy")).row(0, named=True)
    assert cut["model"] == "logit-ordinal" and cut["bar"] in ("party-id", "conditional-logit")
    assert cut["verdict"] == "falls short of the best tabular model" and cut["high"] < 0
    assert "blind" not in table["condition"].to_list()
    assert summary.bar(parts, drawn, []).height == 0


def test_a_small_training_part_widens_the_corrected_t(world: Any) -> None:
    mapping = load_mapping(GLES)
    votes = grid.collect(settings(), mapping, world[1])
    sizes = grid.training_sizes(settings(), mapping, world[1])
    assert sizes["part-25"] == pytest.approx(0.25 * sizes["full"], abs=8) and sizes["without"] < sizes["full"]
    parts = arrays.as_parts(votes, mapping.labels, weighted=False)
    drawn = {name: arrays.draw(models, 8, 100) for name, models in parts.items()}
    t = [
        summary.comparisons(parts, drawn, given).filter(pl.col("condition") == "part-25")["t"][0]
        for given in (sizes, {})
    ]
    assert abs(t[0]) < abs(t[1])


def test_the_report_is_one_page_without_network_and_the_same_bytes_again(world: Any, tmp_path: Path) -> None:
    one = settings(conditions=BASIC["conditions"][:2])
    target = page.write(one, load_mapping(GLES), world[1], draws=100)
    text = (target / "index.html").read_text(encoding="utf-8")
    assert "GPT-3.5 (published)" in text and text.count('src="data:image/svg+xml') >= 4
    assert text.count("src=") == text.count('src="data:') and "<link" not in text
    assert "default-src 'none'" in html.unescape(text) and "form-action 'none'" in html.unescape(text)
    assert 'name="viewport"' in text and "(Kish 1965)" in text and "by chance alone under a right model" in text
    again = page.write(
        settings(**{**BASIC, "conditions": BASIC["conditions"][:2]}), load_mapping(GLES), world[1], draws=100
    )
    assert (again / "index.html").read_text(encoding="utf-8") == text
    assert page.main_table(target).columns[:3] == ["condition", "model", "n"]


def test_imputed_votes_are_complete_and_known_ones_untouched(world: Any) -> None:
    people = respondents.load(world[0], load_mapping(GLES))
    found = impute.impute(people, Baseline.model_validate("logit"), 3, 24)
    missing = found.frame["vote"].is_null()
    assert missing.sum() > 5
    for draw in range(1, 4):
        column = found.frame[f"imputed_{draw}"]
        assert column.null_count() == 0
        assert column.filter(~missing).equals(found.frame["vote"].filter(~missing), check_names=False)
    drawn = found.frame.filter(missing).select("imputed_1", "imputed_2", "imputed_3")
    assert not drawn["imputed_1"].equals(drawn["imputed_2"], check_names=False)
    assert found.shares["share"].sum() == pytest.approx(1)
    assert (found.shares["low"] < found.shares["share"]).all()


def test_imputation_recovers_shares_that_missing_votes_bias(tmp_path: Path) -> None:
    # Identifiers of the AfD hide their vote half of the time: dropping them biases the share, imputing repairs it.
    made = specimen.simulate(3000, 5, clean=True)
    truth = float((made.columns["q19ba"] == 322).mean())
    rng = np.random.default_rng(0)
    hides = (made.columns["q125a"].to_numpy() == 322) & (rng.random(3000) < 0.5)
    hidden = made.columns.with_columns(
        q19ba=pl.when(pl.Series(hides)).then(-99.0).otherwise(pl.col("q19ba")),
        q17=pl.when(pl.Series(hides)).then(1.0).otherwise(pl.col("q17")),
    )
    hidden.write_parquet(tmp_path / "gles.parquet")
    people = respondents.load(files.open_survey(tmp_path / "gles.parquet"), load_mapping(GLES))
    found = impute.impute(people, Baseline.model_validate("conditional-logit"), 5, 24, weighted=False)
    row = found.shares.row(by_predicate=pl.col("label") == "AfD", named=True)
    assert truth - row["observed"] > 0.02
    assert abs(row["share"] - truth) < 0.012 and row["low"] < truth < row["high"]
    assert row["missing_information"] > 0.01


def test_language_models_share_one_base_and_every_fold_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey = gles_file(tmp_path, ".parquet", 300)
    people = respondents.load(survey, small_mapping()).voters()
    base = tiny_base(people)
    base.model.save_pretrained(tmp_path / "base")
    base.tokenizer.save_pretrained(tmp_path / "base")
    loads: list[Any] = []
    import temporal_adapters.engines.model as model_module

    real = model_module.load_base
    monkeypatch.setattr(model_module, "load_base", lambda given: loads.append(given) or real(given))
    experiment._bases.clear()
    shared = {"base": {"base": str(tmp_path / "base")}}
    train = {"r": 2, "alpha": 4, "steps": 2, "blocks_per_step": 4}
    models = [
        {"name": "zero", "mode": "zero-shot", **shared},
        {"name": "few", "mode": "few-shot", "shots": 1, **shared},
        {"name": "tuned", "mode": "fine-tuned", "train": train, "keep_adapters": True, **shared},
    ]
    one = settings(
        conditions=[{"name": "full"}, {"name": "masked", "mask_party_names": True}],
        baselines=["logit"],
        language_models=models,
    )
    run = experiment.Run(one, small_mapping(), survey, tmp_path / "run")
    assert run.run().done == 2 * 4 * 3
    assert len(loads) == 1
    votes = grid.collect(one, small_mapping(), tmp_path / "run")
    assert votes.group_by("condition", "model").len()["len"].unique().to_list() == [people.frame.height]
    manifest = json.loads((tmp_path / "run/votes/full/tuned/fold-0/manifest.json").read_text())
    assert manifest["facts"]["scoring"] == "first" and 0 < manifest["facts"]["mass_mean"] < 1
    assert (tmp_path / "run/votes/full/tuned/fold-0/adapter/adapter_model.safetensors").is_file()
    assert experiment.Run(one, small_mapping(), survey, tmp_path / "run").run().done == 0


def call(*words: str) -> Any:
    return CliRunner().invoke(app, ["vote", *words])


def test_a_newcomer_gets_from_nothing_to_a_report_with_four_commands(tmp_path: Path) -> None:
    data, runs = str(tmp_path / "s.dta"), str(tmp_path / "runs")
    text = "experiment: mine\nsurvey: gles2017-post\nfolds: 2\nbaselines: [majority, conditional-logit]\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    mine = str(tmp_path / "mine.yaml")
    assert call("simulate", data, "--n", "400").exit_code == 0
    checked = call("check", data, GLES)
    assert checked.exit_code == 0 and "the file and the mapping fit" in checked.output
    dry = call("run", data, mine, "--runs", runs, "--dry-run")
    assert "4 folds to compute, 0 complete" in dry.output
    done = call("run", data, mine, "--runs", runs, "--quiet")
    assert done.exit_code == 0, done.output
    reported = call("report", mine, "--runs", runs, "--draws", "100")
    assert reported.exit_code == 0 and "conditional-logit" in reported.output
    imputed = call("impute", data, mine, "--model", "majority", "--m", "2", "--runs", runs, "--quiet")
    assert imputed.exit_code == 0 and "CDU/CSU" in imputed.output


def test_preview_shows_the_prompt_of_the_shipped_experiment(tmp_path: Path) -> None:
    specimen.write(specimen.simulate(700), tmp_path / "s.sav")
    shown = call("preview", str(tmp_path / "s.sav"), "paper-2025", "--n", "1")
    assert shown.exit_code == 0 and "[system] Please perform a classification task." in shown.output
    missing = call("preview", str(tmp_path / "s.sav"), "paper-2025", "--model", "gpt")
    assert "llama-zero-shot, llama-fine-tuned" in str(missing.exception)


def test_preview_is_what_the_model_reads(world: Any, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    from temporal_adapters.engines.model import DEMO
    from temporal_adapters.vote.language import Predictor
    from temporal_adapters.vote.preview import preview

    models = [
        {"name": "shots", "mode": "few-shot", "shots": 2},
        {"name": "tuned", "mode": "fine-tuned", "train": {"epochs": 1}},
    ]
    conditions = [{"name": "full"}, {"name": "masked", "mask_party_names": True, "without_items": ["age"]}]
    one = settings(language_models=models, conditions=conditions)
    run = experiment.Run(one, load_mapping(GLES), *world)
    cell = next(cell for cell in run.cells if (cell.model.name, cell.case.name) == ("shots", "masked"))
    lines = "\n".join(preview(run, "shots", "masked", 2))
    task = run.task(cell)
    for prompt in language.prompts(cell.model, task, task.test.head(2), examples=True):
        assert len(prompt.examples) == 2 and prompt.plain() in lines
    assert "Party A" in lines and "\nAge:" not in lines
    tokens = list(preview(run, "tuned", "full", 1, AutoTokenizer.from_pretrained(DEMO)))
    marked = next(line for line in tokens if "*" in line and "(* carries" not in line)
    predictor = Predictor(one.language_models[1], SimpleNamespace(tokenizer=AutoTokenizer.from_pretrained(DEMO)))
    first = next(cell for cell in run.cells if (cell.model.name, cell.case.name) == ("tuned", "full"))
    task = run.task(first)
    wanted = predictor._blocks(task, predictor._longest(task)).labels[0]
    assert marked.count("*") == (wanted >= 0).sum()
    columns = "\n".join(preview(run, "logit-ordinal", "full", 1))
    assert "age: " in columns and "columns (ordinal)" in columns


def test_a_shipped_mapping_can_be_printed_adapted_and_used(tmp_path: Path) -> None:
    specimen.write(specimen.simulate(80), tmp_path / "s.sav")
    printed = call("show", GLES)
    assert printed.exit_code == 0
    (tmp_path / "mine.yaml").write_text(
        printed.output.replace("survey: gles2017-post", "survey: mine"), encoding="utf-8"
    )
    assert call("check", str(tmp_path / "s.sav"), str(tmp_path / "mine.yaml")).exit_code == 0
    assert "nothing called 'gles' is shipped" in str(call("show", "gles").exception)


def test_a_check_that_fails_says_how_many_problems_there_are(tmp_path: Path) -> None:
    specimen.simulate(50).columns.with_columns(q1=pl.lit(5.0)).write_csv(tmp_path / "s.csv")
    checked = call("check", str(tmp_path / "s.csv"), GLES)
    assert isinstance(checked.exception, VoteError) and "1 problems must be solved" in str(checked.exception)
    assert "UNKNOWN" in checked.output
