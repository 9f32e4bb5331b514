"""Folds, encodings and the models of the tabular kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from vote_worlds import GLES, gles_document, gles_people

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError, VoteError
from temporal_adapters.study.config.experiment import Baseline, Condition, Only, load_experiment
from temporal_adapters.study.config.vote import SurveyMapping, load_mapping
from temporal_adapters.vote import baselines, choice, encode, files, folds, metrics, respondents
from temporal_adapters.vote.folds import Case, Task


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> respondents.Respondents:
    return gles_people(tmp_path_factory.mktemp("gles"), n=1200)


def tasks(people: respondents.Respondents, condition: Condition, n_folds: int = 5) -> list[Task]:
    return [
        folds.make_task(people, case, *split)
        for case in folds.expand([condition], people.mapping)
        for split in folds.splits(people, n_folds, [24])
    ]


def untuned(model: Any) -> Baseline:
    return Baseline.model_validate({**(model if isinstance(model, dict) else {"model": model}), "tune": False})


def score(
    people: respondents.Respondents, model: Any, condition: Condition
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, probabilities and own party over all folds."""
    baseline = untuned(model)
    done = [(task, baselines.predict(baseline, task)) for task in tasks(people, condition)]
    truth = np.concatenate([folds.class_indices(task.test, people.mapping) for task, _ in done])
    own = np.concatenate([task.own_party(task.test) for task, _ in done])
    return truth, np.concatenate([shares for _, shares in done]), own


def test_every_respondent_is_tested_once_and_never_trained_on_in_that_fold(people: respondents.Respondents) -> None:
    ids = people.frame["respondent_id"].to_list()
    tested: list[str] = []
    for task in tasks(people, Condition(name="full")):
        test, train = task.test["respondent_id"].to_list(), task.train["respondent_id"].to_list()
        assert not set(test) & set(train) and len(test) + len(train) == len(ids)
        tested += test
    assert sorted(tested) == sorted(ids)


def test_the_folds_are_those_of_scikit_learn_with_the_published_seed(people: respondents.Respondents) -> None:
    from sklearn.model_selection import StratifiedKFold

    votes = people.frame["vote"].to_numpy()
    expected = [test.tolist() for _, test in StratifiedKFold(5, shuffle=True, random_state=24).split(votes, votes)]
    assert [test.tolist() for *_, test in folds.splits(people, 5, [24])] == expected


def test_further_seeds_go_on_counting_folds(people: respondents.Respondents) -> None:
    found = [(fold, seed) for fold, seed, *_ in folds.splits(people, 3, [24, 7])]
    assert found == [(0, 24), (1, 24), (2, 24), (3, 7), (4, 7), (5, 7)]


def test_leaving_out_a_party_cuts_its_identifiers_from_training_only(people: respondents.Respondents) -> None:
    plain = tasks(people, Condition(name="full"))
    for task, whole in zip(tasks(people, Condition(name="x", leave_out_party="CDU/CSU")), plain, strict=True):
        cdu = people.mapping.labels.index("CDU/CSU")
        assert (task.own_party(task.train) != cdu).all() and (task.own_party(task.test) == cdu).any()
        assert task.test.equals(whole.test)


def test_each_party_with_identifiers_makes_one_condition() -> None:
    mapping = load_mapping(GLES)
    names = [case.name for case in folds.expand([Condition(name="without", leave_out_party="each")], mapping)]
    assert names == [f"without-{one}" for one in ("cdu-csu", "spd", "greens", "fdp", "left", "afd", "small-party")]


def test_fractions_are_stratified_and_nested(people: respondents.Respondents) -> None:
    conditions = [Condition(name="f", fractions=(0.05, 0.25, 1))]
    train, test = np.arange(0, people.frame.height, 2), np.arange(1, people.frame.height, 2)
    parts = [
        folds.make_task(people, case, 0, 24, train, test).train for case in folds.expand(conditions, people.mapping)
    ]
    ids = [set(part["respondent_id"].to_list()) for part in parts]
    assert ids[0] < ids[1] < ids[2] and len(ids[2]) == len(train)
    assert len(ids[1]) == pytest.approx(0.25 * len(train), abs=4)
    for part in parts:
        assert set(part["vote"].to_list()) == set(people.mapping.labels)


def test_a_convenience_sample_keeps_the_test_part_whole(people: respondents.Respondents) -> None:
    condition = Condition(name="east", only=(Only(item="residency", codes=("0",)),))
    for task in tasks(people, condition):
        assert task.train["residency"].unique().to_list() == ["0"]
        assert task.test["residency"].n_unique() == 2


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (Condition(name="x", without_items=("colour",)), "no item 'colour'"),
        (Condition(name="x", only=(Only(item="residency", codes=("7",)),)), "no code 7"),
        (Condition(name="x", leave_out_party="Whigs"), "nobody can identify with 'Whigs'"),
        (Condition(name="x", leave_out_party="Non-voter"), "nobody can identify with 'Non-voter'"),
    ],
)
def test_a_condition_that_names_what_does_not_exist_is_refused(condition: Condition, words: str) -> None:
    with pytest.raises(VoteError, match=words):
        folds.expand([condition], load_mapping(GLES))


def test_a_class_with_fewer_respondents_than_folds_is_refused(people: respondents.Respondents) -> None:
    rare = people.frame.filter((pl.col("vote") != "AfD") | (pl.col("respondent_id").cast(pl.Int64) < 30))
    few = respondents.Respondents(people.mapping, rare)
    with pytest.raises(VoteError, match=r"the class 'AfD' has \d respondents, fewer than 5 folds"):
        list(folds.splits(few, 5, [24]))


def test_missing_answers_are_filled_in_from_the_training_part_only(people: respondents.Respondents) -> None:
    document = gles_document()
    next(item for item in document["items"] if item["name"] == "left_right")["when_missing"] = "impute"
    mapping = SurveyMapping.model_validate(document)
    frame = people.frame.with_columns(
        left_right=pl.when(pl.col("vote") == "AfD").then(pl.lit("-99")).otherwise(pl.lit("3"))
    )
    task = folds.make_task(
        respondents.Respondents(mapping, frame),
        Case("full", Condition(name="full")),
        0,
        1,
        np.arange(900),
        np.arange(900, 1000),
    )
    assert task.train["left_right"].unique().to_list() == task.test["left_right"].unique().to_list() == ["3"]


def test_one_hot_columns_equal_scikit_learns(people: respondents.Respondents) -> None:
    from sklearn.preprocessing import OneHotEncoder

    task = tasks(people, Condition(name="full"))[0]
    names = [item.name for item in task.items]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(task.train.select(names).to_numpy())
    train, test = encode.encode(task, "one-hot")
    assert np.array_equal(train, encoder.transform(task.train.select(names).to_numpy()))
    assert np.array_equal(test, encoder.transform(task.test.select(names).to_numpy()))


def test_ordinal_columns_follow_the_order_of_the_answers_not_of_the_codes(people: respondents.Respondents) -> None:
    task = tasks(people, Condition(name="full"))[0]
    only = Task(task.mapping, task.case, 0, 1, (task.mapping.item("education"),), task.train, task.test)
    column = encode.encode(only, "ordinal")[0][:, 0]
    by_code = {code: column[task.train["education"].to_numpy() == code].mean() for code in ("1", "9", "2", "5", "20")}
    assert list(by_code.values()) == sorted(by_code.values())
    known = [code not in ("-98", "-99") for code in task.train["education"].to_list()]
    assert column[known].mean() == pytest.approx(0, abs=1e-9) and column[known].std() == pytest.approx(1)


def random_choice(seed: int, n: int = 250) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    features, own = rng.normal(size=(n, 2)), rng.integers(-1, 3, n)
    utility = features @ rng.normal(size=(2, 3)) + np.array([0.0, 0.4, -0.3]) + rng.gumbel(size=(n, 3))
    rows = np.flatnonzero(own >= 0)
    utility[rows, own[rows]] += 1.5
    return features, own, utility.argmax(axis=1)


def test_the_conditional_logit_equals_statsmodels() -> None:
    from statsmodels.discrete.conditional_models import ConditionalLogit

    features, own, truth = random_choice(3)
    found = choice.fit(features, own, truth, 3, penalty=0)
    n = len(truth)
    group, alternative = np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)
    columns = [(alternative == k).astype(float) for k in (1, 2)]
    columns += [features[group, j] * (alternative == k) for k in (1, 2) for j in range(2)]
    columns += [(own[group] == alternative).astype(float)]
    fitted = ConditionalLogit((truth[group] == alternative).astype(int), np.column_stack(columns), groups=group).fit(
        method="bfgs", disp=False, gtol=1e-8
    )
    ours = [*found.constants[1:], *found.slopes[:, 1], *found.slopes[:, 2], found.shared]
    assert ours == pytest.approx(fitted.params, abs=2e-4)
    assert found.log_likelihood == pytest.approx(fitted.llf, abs=1e-5)


def test_without_own_party_the_penalised_fit_equals_scikit_learns_multinomial_logit() -> None:
    from sklearn.linear_model import LogisticRegression

    features, _, truth = random_choice(4)
    found = choice.fit(features, np.full(len(truth), -1), truth, 3)
    model = LogisticRegression(C=1.0, max_iter=2000, tol=1e-9).fit(features, truth)
    assert found.probabilities(features, np.full(len(truth), -1)) == pytest.approx(
        model.predict_proba(features), abs=1e-4
    )


def test_a_class_that_training_lacks_gets_probability_zero() -> None:
    features, own, truth = random_choice(5)
    truth = np.where(truth == 2, 0, truth)
    shares = choice.fit(features, own, truth, 3).probabilities(features, own)
    assert (shares[:, 2] == 0).all() and shares.sum(axis=1) == pytest.approx(1)


def test_the_conditional_logit_finds_the_simulated_own_party_bonus(tmp_path: Path) -> None:
    from temporal_adapters.vote import specimen

    big = gles_people(tmp_path, n=4000, seed=9)
    task = tasks(big, Condition(name="full"))[0]
    own = task.own_party(task.train)
    features, _ = encode.encode(task, "ordinal", without=("party_id",))
    found = choice.fit(np.column_stack([features, own >= 0]), own, task.truth, len(big.mapping.labels))
    assert found.shared == pytest.approx(specimen.OWN_PARTY, abs=0.35)


MODELS = [
    "majority",
    "party-id",
    "own-party-logit",
    "conditional-logit",
    "logit",
    {"model": "forest", "encoding": "one-hot"},
]


@pytest.mark.parametrize("model", [*MODELS, "boosting"])
def test_every_model_gives_probabilities(people: respondents.Respondents, model: Any) -> None:
    task = tasks(people, Condition(name="full"))[0]
    shares = baselines.predict(untuned(model), task)
    assert shares.shape == (task.test.height, 8)
    assert (shares >= 0).all() and shares.sum(axis=1) == pytest.approx(1)


def test_own_party_models_hold_when_a_party_is_left_out_while_one_hot_models_fall(
    people: respondents.Respondents,
) -> None:
    full, cut = Condition(name="full"), Condition(name="cut", leave_out_party="CDU/CSU")
    cdu = people.mapping.labels.index("CDU/CSU")
    right: dict[tuple[str, str], float] = {}
    f1: dict[tuple[str, str], float] = {}
    for model in ("own-party-logit", "conditional-logit", {"model": "logit", "encoding": "one-hot"}):
        name = model if isinstance(model, str) else "one-hot"
        for condition in (full, cut):
            truth, shares, own = score(people, model, condition)
            right[name, condition.name] = float((shares.argmax(axis=1) == truth)[own == cdu].mean())
            f1[name, condition.name] = metrics.all_figures(truth, shares)["macro_f1"]
    for name in ("own-party-logit", "conditional-logit"):
        assert right[name, "cut"] > 0.75 and f1[name, "cut"] > f1[name, "full"] - 0.03
    assert right["one-hot", "cut"] < 0.4 and f1["one-hot", "cut"] < f1["one-hot", "full"] - 0.05


def test_own_party_models_are_left_out_where_the_item_is_hidden(people: respondents.Respondents) -> None:
    task = tasks(people, Condition(name="x", without_items=("party_id",)))[0]
    assert not baselines.applies(Baseline.model_validate("conditional-logit"), task)
    with pytest.raises(VoteError, match="needs the own-party item"):
        baselines.predict(Baseline.model_validate("party-id"), task)


def test_the_party_rule_is_calibrated_by_the_shared_loyalty(people: respondents.Respondents) -> None:
    truth, shares, own = score(people, "party-id", Condition(name="full"))
    rows = own >= 0
    assert (shares.argmax(axis=1) == own)[rows].all()
    assert shares.max(axis=1)[rows].mean() == pytest.approx((truth == own)[rows].mean(), abs=0.01)


@pytest.mark.parametrize("name", resources.names("experiments"))
def test_every_shipped_experiment_is_valid_and_fits_its_mapping(name: str) -> None:
    experiment, _ = load_experiment(name)
    assert folds.expand(experiment.conditions, load_mapping(experiment.survey))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("experiment: x\nsurvey: y\n", "name at least one model"),
        ("experiment: x\nsurvey: y\nbaselines: [logit, logit]\n", "two models are called 'logit-ordinal'"),
        ("experiment: x\nsurvey: y\nbaselines: [loggit]\n", "'loggit' is not allowed"),
        ("experiment: x\nsurvey: y\nbaselines: [logit]\nfold: 3\n", "did you mean 'folds'"),
        (
            "experiment: x\nsurvey: y\nconditions: [{name: a, fractions: [2]}]\nbaselines: [logit]\n",
            "2 is not a fraction",
        ),
        (
            "experiment: x\nsurvey: y\nlanguage_models: [{name: a, mode: fine-tuned, train: {r: 4}}]\n",
            "`epochs` or `steps`",
        ),
    ],
)
def test_a_mistake_in_an_experiment_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=words) as caught:
        load_experiment(tmp_path / "x.yaml")
    assert str(caught.value).startswith(str(tmp_path / "x.yaml"))


def anes(shared_data: Path) -> respondents.Respondents:
    survey = files.open_survey(shared_data / "anes2016" / "anes2016_vote.csv")
    return respondents.load(survey, load_mapping("anes2016")).voters()


def test_on_real_anes_data_logistic_regression_reaches_the_known_figures(shared_data: Path) -> None:
    truth, shares, _ = score(anes(shared_data), "logit", Condition(name="full"))
    found = metrics.all_figures(truth, shares)
    assert found["accuracy"] == pytest.approx(0.78, abs=0.015)
    assert found["macro_f1"] == pytest.approx(0.65, abs=0.015)


def test_on_real_anes_data_the_shared_own_party_coefficient_beats_one_hot(shared_data: Path) -> None:
    people = anes(shared_data)
    known = {}
    for model in ("conditional-logit", {"model": "logit", "encoding": "one-hot"}):
        truth, shares, _ = score(people, model, Condition(name="full"))
        known[str(model)] = metrics.log_loss(truth, shares)
    assert known["conditional-logit"] < min(value for name, value in known.items() if name != "conditional-logit")


def test_gpt_3s_published_probabilities_score_as_published(shared_data: Path) -> None:
    table = pl.read_csv(shared_data / "anes2016" / "anes2016_vote.csv").filter(pl.col("vote") != "Non-voter")
    shares = table.select("gpt3_p_trump", "gpt3_p_clinton").to_numpy()
    shares = shares / shares.sum(axis=1, keepdims=True)
    truth = (table["vote"] == "Clinton").cast(pl.Int64).to_numpy()
    assert metrics.all_figures(truth, shares)["accuracy"] == pytest.approx(0.867, abs=0.0006)
