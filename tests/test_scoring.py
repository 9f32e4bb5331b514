"""Scores against models whose probabilities are known: lookup tables, brute force, products."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from temporal_adapters.engines.scoring import (
    METHODS,
    FormScore,
    Reference,
    Source,
    answer_rows,
    position_rows,
    scale_rows,
)
from temporal_adapters.engines.scoring.moments import moments, ordinal_distance
from temporal_adapters.engines.scoring.orders import debias, permutation, position_prior, position_shares, positions
from temporal_adapters.engines.scoring.question import OptionScore, Question, clr, softmax
from temporal_adapters.ground.errors import ScoringError
from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording
from temporal_adapters.study.questionnaire.prompts import option_orders

STOP = 3
VOCABULARY = range(5)

NextToken = Callable[[tuple[int, ...]], np.ndarray]


def random_model(seed: int) -> NextToken:
    """A language model over five tokens: a table of next-token probabilities by prefix."""

    def p(prefix: tuple[int, ...]) -> np.ndarray:
        rng = np.random.default_rng([seed, len(prefix), *prefix])
        return rng.dirichlet(np.ones(len(VOCABULARY)))

    return p


def form(model: NextToken, tokens: tuple[int, ...], option: str, context: str = "prompt", **more: object) -> FormScore:
    logprobs = tuple(math.log(model(tokens[:t])[token]) for t, token in enumerate(tokens))
    row = FormScore(
        item="q",
        wording="w",
        order="as-written",
        context=context,
        option=option,
        form=" ".join(map(str, tokens)),
        answer="",
        token_ids=tokens,
        logprobs=logprobs,
        logits=logprobs,
        end=math.log(model(tokens)[STOP]),
        n_chars=len(tokens),
        n_bytes=2 * len(tokens),
        context_sha="c",
    )
    return replace(row, **more)


def probability(model: NextToken, event: Callable[[tuple[int, ...]], bool], length: int = 5) -> float:
    """Brute force: the summed probability of all token sequences of `length` for which `event` is true."""
    total = 0.0
    for tokens in itertools.product(VOCABULARY, repeat=length):
        if event(tokens):
            total += math.prod(float(model(tokens[:t])[token]) for t, token in enumerate(tokens))
    return total


OPTIONS: Mapping[str, tuple[tuple[int, ...], ...]] = {"A": ((0,), (4, 4)), "B": ((1, 2),), "C": ((1, 0, 2),)}


def question(model: NextToken, options: Mapping[str, tuple[tuple[int, ...], ...]] = OPTIONS) -> Question:
    return Question([form(model, tokens, option) for option, forms in options.items() for tokens in forms])


def starts(tokens: tuple[int, ...], forms: tuple[tuple[int, ...], ...]) -> bool:
    return any(tokens[: len(one)] == one for one in forms)


@pytest.mark.parametrize("seed", range(3))
def test_sequence_is_the_probability_that_the_answer_begins_with_the_option(seed: int) -> None:
    model = random_model(seed)
    for option, score in METHODS["sequence"].score(question(model)).items():
        truth = probability(model, lambda tokens, option=option: starts(tokens, OPTIONS[option]), 4)
        assert math.exp(score.logprob) == pytest.approx(truth, rel=1e-12)
        assert score.mass == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_sequence_end_is_the_probability_that_the_answer_is_the_option(seed: int) -> None:
    model = random_model(seed)
    options = {"1": ((1,),), "10": ((1, 0),), "other": ((2,),)}
    scores = METHODS["sequence+end"].score(question(model, options))
    for option, score in scores.items():
        whole = (*options[option][0], STOP)
        assert math.exp(score.logprob) == pytest.approx(probability(model, lambda t, w=whole: starts(t, (w,)), 4))
    assert sum(score.mass or 0 for score in scores.values()) <= 1.0
    # Under `sequence`, 10 is counted inside 1 as well: its mass is that of the shorter option alone.
    assert METHODS["sequence"].score(question(model, options))["10"].mass == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_trie_is_a_walk_over_allowed_tokens_and_sums_to_one(seed: int) -> None:
    model = random_model(seed)
    scores = METHODS["trie"].score(question(model))
    p0, p1, p4 = model(()), model((1,)), model((4,))
    total = p0[0] + p0[1] + p0[4]
    assert math.exp(scores["A"].logprob) == pytest.approx((p0[0] + p0[4] * p4[4] / p4[4]) / total)
    assert math.exp(scores["B"].logprob) == pytest.approx(p0[1] / total * p1[2] / (p1[2] + p1[0]))
    assert sum(math.exp(score.logprob) for score in scores.values()) == pytest.approx(1.0)


def test_trie_lets_an_option_end_where_another_goes_on() -> None:
    model = random_model(5)
    scores = METHODS["trie"].score(question(model, {"1": ((1,),), "10": ((1, 0),)}))
    after = model((1,))
    assert math.exp(scores["1"].logprob) == pytest.approx(after[STOP] / (after[STOP] + after[0]))
    assert sum(math.exp(score.logprob) for score in scores.values()) == pytest.approx(1.0)


def test_first_adds_distinct_first_tokens_and_refuses_shared_ones() -> None:
    model = random_model(1)
    options = {"A": ((0,), (0, 4), (4,)), "B": ((1, 2),)}
    scores = METHODS["first"].score(question(model, options))
    assert math.exp(scores["A"].logprob) == pytest.approx(model(())[0] + model(())[4])
    with pytest.raises(ScoringError, match="'B' and 'C' share a first token"):
        METHODS["first"].score(question(model))


def test_token_mean_and_byte_divide_the_whole_log_probability() -> None:
    model = random_model(2)
    l_c = sum(form(model, (1, 0, 2), "C").logprobs)
    assert METHODS["token-mean"].score(question(model))["C"].logprob == pytest.approx(l_c / 3)
    assert METHODS["byte"].score(question(model))["C"].logprob == pytest.approx(l_c / 6)


def test_pmi_and_contextual_subtract_what_the_option_has_without_the_question() -> None:
    model, premise, free = random_model(1), random_model(2), [random_model(3), random_model(4)]
    rows = list(question(model).rows)
    for option, forms in OPTIONS.items():
        for tokens in forms:
            rows.append(form(premise, tokens, option, "premise"))
            rows.extend(form(one, tokens, option, f"content-free-{j}") for j, one in enumerate(free))
    asked = Question(rows)

    def mass(one: NextToken, option: str) -> float:
        return probability(one, lambda tokens: starts(tokens, OPTIONS[option]), 3)

    for option in OPTIONS:
        pmi = math.log(mass(model, option) / mass(premise, option))
        contextual = math.log(mass(model, option) / np.mean([mass(one, option) for one in free]))
        assert METHODS["pmi-dc"].score(asked)[option].logprob == pytest.approx(pmi)
        assert METHODS["contextual"].score(asked)[option].logprob == pytest.approx(contextual)


def test_inclusion_is_yes_over_yes_and_no() -> None:
    model = random_model(6)
    rows = [
        form(model, (0,), "A", "inclusion", answer="yes"),
        form(model, (1,), "A", "inclusion", answer="yes"),
        form(model, (2,), "A", "inclusion", answer="no"),
    ]
    score = METHODS["inclusion"].score(Question(rows))["A"]
    p = model(())
    assert score.share == pytest.approx((p[0] + p[1]) / (p[0] + p[1] + p[2]))
    assert score.clr == pytest.approx(math.log((p[0] + p[1]) / p[2]) / 2)
    assert score.mass == pytest.approx(p[0] + p[1] + p[2])


def test_the_base_contrast_has_the_difference_of_the_centred_log_ratios() -> None:
    week, base = question(random_model(1)), question(random_model(2))
    contrast = METHODS["base"].score(Question(week.rows, base))
    ours = clr([score.logprob for score in contrast.values()])
    sequence = METHODS["sequence"].score
    difference = np.subtract(
        clr([s.logprob for s in sequence(week).values()]), clr([s.logprob for s in sequence(base).values()])
    )
    assert ours == pytest.approx(difference.tolist())


@given(st.lists(st.floats(-50, 0), min_size=2, max_size=8), st.floats(-30, 30))
@settings(max_examples=50, deadline=None)
def test_shares_sum_to_one_and_do_not_see_a_shift(scores: list[float], shift: float) -> None:
    assert sum(softmax(scores)) == pytest.approx(1.0)
    assert softmax([score + shift for score in scores]) == pytest.approx(softmax(scores))
    assert sum(clr(scores)) == pytest.approx(0.0, abs=1e-9)


# Orders: the answer is a product of what stands in a position and of what the option says.

LETTERS = Wording("w", "Pick one.", listing="letters")
CONTENT = {"Red": 0.5, "Green": 0.3, "Blue": 0.15, "Grey": 0.05}


def listed_item(orders: str, n: int = 4) -> Item:
    options = tuple(Option(name, name, survey=name) for name in list(CONTENT)[:n])
    return Item("q", "select_one", options, (LETTERS,), orders=orders)  # type: ignore[arg-type]


def product_scores(item: Item, prior: np.ndarray) -> dict[str, dict[str, OptionScore]]:
    found = {}
    for order, options in option_orders(item, LETTERS).items():
        weights = [prior[i] * CONTENT[option.name] for i, option in enumerate(options)]
        found[order] = {
            option.name: OptionScore(math.log(weight / sum(weights) * 0.8), 1, weight / sum(weights) * 0.8)
            for option, weight in zip(options, weights, strict=True)
        }
    return found


PRIOR = np.array([0.4, 0.3, 0.2, 0.1])


@pytest.mark.parametrize("orders", ["all", "cyclic"])
def test_pride_returns_the_parts_of_a_product_model(orders: str) -> None:
    item = listed_item(orders)
    scores, places = product_scores(item, PRIOR), positions(item, LETTERS)
    prior = position_prior([(scores, places)])
    assert prior == pytest.approx(PRIOR, rel=1e-12)
    for order, one in scores.items():
        shares = {name: math.exp(score.logprob) / 0.8 for name, score in debias(one, places[order], prior).items()}
        assert shares == pytest.approx(CONTENT, rel=1e-9)


def test_24_permutations_agree_with_direct_enumeration() -> None:
    item = listed_item("all")
    scores = product_scores(item, PRIOR)
    assert len(scores) == 24
    pooled = permutation(scores, item.options)
    direct = dict.fromkeys(CONTENT, 0.0)
    for names in itertools.permutations(CONTENT):
        weights = {name: PRIOR[i] * CONTENT[name] for i, name in enumerate(names)}
        for name, weight in weights.items():
            direct[name] += weight / sum(weights.values()) / 24
    assert {name: score.share for name, score in pooled.items()} == pytest.approx(direct, rel=1e-12)
    assert sum(score.mass or 0 for score in pooled.values()) == pytest.approx(0.8)


def test_positions_without_bias_all_get_the_same_share() -> None:
    item = listed_item("cyclic")
    assert position_shares(product_scores(item, np.ones(4)), positions(item, LETTERS)) == pytest.approx([0.25] * 4)
    biased = position_shares(product_scores(item, PRIOR), positions(item, LETTERS))
    assert list(np.argsort(-biased)) == [0, 1, 2, 3]


def label_rows(item: Item, prior: np.ndarray, adapter_tilt: float = 1.0) -> list[FormScore]:
    rows = []
    for order, scores in product_scores(item, prior).items():
        for name, score in scores.items():
            logprob = score.logprob + (math.log(adapter_tilt) if name == "Red" else 0.0)
            rows.append(
                FormScore("q", "w", order, "label", name, "A", "", (1,), (logprob,), (logprob,), None, 1, 1, order)
            )
    return rows


def test_answers_hold_one_pooled_row_per_option_and_debiased_rows_per_order() -> None:
    item = listed_item("cyclic")
    questionnaire = Questionnaire("t", (item,))
    reference = Reference(label_rows(item, PRIOR), questionnaire)
    rows = list(answer_rows(Source("base"), label_rows(item, PRIOR), reference, ["label", "permutation", "pride"]))
    by_method = {
        method: [row for row in rows if row["method"] == method] for method in ("label", "permutation", "pride")
    }
    assert {method: len(found) for method, found in by_method.items()} == {"label": 16, "permutation": 4, "pride": 16}
    assert {row["order"] for row in by_method["permutation"]} == {"all"}
    for row in by_method["pride"]:
        assert row["share"] == pytest.approx(CONTENT[row["option"]])
        assert row["mass_valid"] == pytest.approx(0.8)
    shares = [row["share"] for row in position_rows(Source("base"), label_rows(item, PRIOR), reference)]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == sorted(shares, reverse=True)


# Scales.


def test_moments_of_a_scale_by_hand() -> None:
    found = moments([5, 4, 3, 2, 1], [0.1, 0.2, 0.3, 0.3, 0.1])
    assert found.mean == pytest.approx(2.9)
    assert found.variance == pytest.approx(0.1 * 4.41 + 0.2 * 1.21 + 0.3 * 0.01 + 0.3 * 0.81 + 0.1 * 3.61)
    assert found.top_minus_bottom == pytest.approx(0.3 - 0.4)
    assert moments([1, 2], [0.3, 0.7]).top_minus_bottom == pytest.approx(0.4)


def test_the_ordinal_distance_is_that_of_scipy() -> None:
    from scipy.stats import wasserstein_distance

    values, one, other = [1, 2, 4, 7], [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]
    assert ordinal_distance(values, one, other) == pytest.approx(wasserstein_distance(values, values, one, other))
    assert ordinal_distance(values[::-1], one[::-1], other[::-1]) == pytest.approx(ordinal_distance(values, one, other))


def test_nonresponse_never_enters_the_mean_of_a_scale() -> None:
    options = (
        Option("good", "good", value=2.0),
        Option("bad", "bad", value=1.0),
        Option("dk", "don't know", role="nonresponse"),
    )
    questionnaire = Questionnaire("t", (Item("q", "scale", options, (Wording("w", "How?"),)),))
    model = random_model(3)
    rows = [form(model, (n,), option.name) for n, option in enumerate(options)]
    reference = Reference(rows, questionnaire)
    answers = list(answer_rows(Source("base"), rows, reference, ["sequence"]))
    (scale,) = scale_rows(answers, reference)
    p = model(())
    assert scale["mean"] == pytest.approx((2 * p[0] + p[1]) / (p[0] + p[1]))
    assert scale["base_distance"] == pytest.approx(0.0)
    assert answers[0]["mass_valid"] == pytest.approx(p[0] + p[1])
    assert answers[0]["mass_nonresponse"] == pytest.approx(p[2])


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_base_is_at_no_distance_from_itself_by_any_method_and_temperature(temperature: float) -> None:
    options = tuple(Option(name, name, value=float(n)) for n, name in enumerate(CONTENT))
    item = replace(listed_item("cyclic"), type="scale", options=options)

    def rows(tilt: float = 1.0) -> list[FormScore]:
        # The orders hold different masses: the mean share over orders is then not the softmax of the pooled log-score.
        masses = {order: -float(n) for n, order in enumerate(option_orders(item, LETTERS))}
        found = label_rows(item, PRIOR, tilt)
        return [replace(row, logprobs=(row.logprobs[0] + masses[row.order],)) for row in found]

    reference, methods = Reference(rows(), Questionnaire("t", (item,))), ["label", "permutation", "pride"]

    def distances(source: str, tilt: float) -> list[float]:
        answers = list(answer_rows(Source(source), rows(tilt), reference, methods, temperature))
        return [scale["base_distance"] for scale in scale_rows(answers, reference, temperature)]

    assert distances("base", 1.0) == pytest.approx([0.0] * 9, abs=1e-12)
    assert min(distances("2023-W14/seed-1", 2.0)) > 0.01


# Temperature.


def test_option_temperature_flattens_shares_and_leaves_clr_alone() -> None:
    model = random_model(1)
    item = Item("q", "select_one", tuple(Option(name, name) for name in OPTIONS), (Wording("w", "How?"),))
    questionnaire, rows = Questionnaire("t", (item,)), list(question(model).rows)
    reference = Reference(rows, questionnaire)
    cold = list(answer_rows(Source("base"), rows, reference, ["sequence"]))
    warm = list(answer_rows(Source("base"), rows, reference, ["sequence"], temperature=1000.0))
    assert [row["share"] for row in warm] == pytest.approx([1 / 3] * 3, abs=2e-3)
    assert [row["clr"] for row in warm] == [row["clr"] for row in cold]
