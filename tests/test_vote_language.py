"""Prompts, labels as tokens, and language models that predict votes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tiny import ARCHITECTURES
from vote_worlds import GLES, gles_document, gles_file, small_mapping, tiny_base

from temporal_adapters.engines.model import LoraShape, new_adapter, stacked
from temporal_adapters.ground.errors import VoteError
from temporal_adapters.stages.tokens import IGNORED
from temporal_adapters.study.config.experiment import Condition, LanguageModel, PromptStyle
from temporal_adapters.study.config.train import Train
from temporal_adapters.study.config.vote import SurveyMapping, load_mapping
from temporal_adapters.vote import folds, language, metrics, respondents
from temporal_adapters.vote.prompts import Writer
from temporal_adapters.vote.reading import _match, read, sample
from temporal_adapters.vote.tokenise import Tokeniser

ROW = {
    "respondent_id": "7", "age": "54", "gender": "2", "education": "5", "income": "-98", "employment": "1",
    "religiosity": "2", "left_right": "8", "party_id": "322", "party_id_strength": "3", "residency": "0",
    "immigration": "11", "inequality": "-99", "vote": "AfD",
}  # fmt: skip


def writer(**style: Any) -> Writer:
    mapping = load_mapping(GLES)
    masked = style.pop("masked", False)
    return Writer(mapping, PromptStyle(**style), mapping.items, masked)


def test_a_respondent_becomes_these_lines() -> None:
    assert writer().prompt(ROW).plain() == (
        "Please perform a classification task. Given the survey answers from a national post election survey in "
        "Germany, return which party the person voted for. Return a label from ['CDU/CSU', 'SPD', 'Greens', 'FDP', "
        "'Left', 'AfD', 'Small party', 'Non-voter'] only without any other text.\n\n"
        "Age: 54\nGender: female\nEducation: entrance to university\nMonthly net household income: no answer\n"
        "Employment: full-time work\nReligiosity: not very religious\nLeft-right position: somewhat right\n"
        "Party identification: AfD\nStrength of party identification: moderate\nResidency: eastern Germany\n"
        "Immigration should be: restricted very strongly\nThe state should reduce income differences: no answer\nVote:"
    )


def test_a_respondent_becomes_this_running_text_without_what_is_missing() -> None:
    assert writer(style="story", language="de").prompt(ROW).body == (
        "Ich bin 54 Jahre alt. Ich bin eine Frau. Meine Bildung: Abitur. Meine Erwerbstätigkeit: Vollzeit. "
        "Ich bin nicht sehr religiös. Politisch stehe ich eher rechts. Ich identifiziere mich mit: AfD. "
        "Diese Bindung ist mäßig. Ich wohne in Ostdeutschland. Den Zuzug sollte man sehr stark einschränken."
    )


def test_masked_names_replace_the_party_in_the_items_but_not_in_the_labels() -> None:
    masked = writer(masked=True)
    assert "Party identification: Party F\n" in masked.prompt(ROW).plain()
    assert "AfD" not in masked.prompt(ROW).body and "AfD" in masked.labels


def test_a_shuffled_order_is_the_same_for_the_same_person_and_differs_between_people() -> None:
    one = writer(order="shuffled")
    first, second = one.prompt(ROW).body, one.prompt({**ROW, "respondent_id": "8"}).body
    assert first == one.prompt(ROW).body != second
    assert sorted(first.split("\n")) == sorted(second.split("\n")) == sorted(writer().prompt(ROW).body.split("\n"))


def test_examples_stand_before_the_question_with_their_votes() -> None:
    one = writer()
    text = one.with_examples(one.prompt({**ROW, "age": "20"}), [ROW]).plain()
    assert text.count("Vote:") == 2 and text.index("Age: 54") < text.index("Vote: AfD") < text.index("Age: 20")
    assert text.endswith("Vote:")


def test_the_instruction_may_be_left_out() -> None:
    one = writer(instruction=False, chat=True)
    assert one.prompt(ROW).plain().startswith("Age: 54\n")
    assert [turn["role"] for turn in one.prompt(ROW).messages()] == ["user"]


def test_a_language_without_words_is_refused() -> None:
    with pytest.raises(VoteError, match="no words in 'fr'"):
        writer(language="fr")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> respondents.Respondents:
    survey = gles_file(tmp_path_factory.mktemp("gles"), ".parquet", 420)
    return respondents.load(survey, small_mapping()).voters()


@pytest.fixture(scope="module")
def base(people: respondents.Respondents) -> Any:
    torch.set_num_threads(1)
    return tiny_base(people, hidden_size=64, intermediate_size=96)


def make_tasks(people: respondents.Respondents, n_folds: int = 3) -> list[folds.Task]:
    case = folds.expand([Condition(name="full")], people.mapping)[0]
    return [folds.make_task(people, case, *split) for split in folds.splits(people, n_folds, [24])]


def prompts(people: respondents.Respondents, n: int = 6) -> tuple[Writer, list[Any]]:
    one = Writer(people.mapping, PromptStyle(), people.mapping.items)
    return one, [one.prompt(row) for row in people.frame.head(n).iter_rows(named=True)]


def test_context_and_label_are_the_tokens_of_the_whole_text(people: respondents.Respondents, base: Any) -> None:
    tokeniser = Tokeniser(base.tokenizer)
    one, found = prompts(people)
    labels = tokeniser.labels(one.labels, found[0])
    for prompt, context in zip(found, tokeniser.contexts(found), strict=True):
        for word, ids in zip(one.labels, labels.ids, strict=True):
            assert [*context, *ids] == base.tokenizer(f"{prompt.plain()} {word}\n")["input_ids"]
        assert context[0] == base.tokenizer.bos_token_id and context.count(base.tokenizer.bos_token_id) == 1


def test_a_chat_template_that_holds_bos_gets_no_second_one(people: respondents.Respondents, base: Any) -> None:
    import copy

    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
    )
    one = Writer(people.mapping, PromptStyle(chat=True), people.mapping.items)
    prompt = one.prompt(people.frame.row(0, named=True))
    context = Tokeniser(tokenizer).contexts([prompt])[0]
    assert context.count(tokenizer.bos_token_id) == 1
    assert tokenizer.decode(context).startswith("<s>[system] Who got the vote ?\n[user] Gender:")


def test_labels_that_begin_alike_are_scored_whole_and_the_reason_is_kept(
    people: respondents.Respondents, base: Any
) -> None:
    tokeniser = Tokeniser(base.tokenizer)
    _, found = prompts(people, 1)
    labels = tokeniser.labels(("Small party", "Small town", "AfD"), found[0])
    assert labels.scoring("auto") == "sequence" and "'Small party' and 'Small town'" in str(labels.collision)
    with pytest.raises(VoteError, match=r"`scoring: first` cannot tell the classes apart"):
        labels.scoring("first")


NESTED = {"CDU/CSU": "Liberal", "SPD": "Liberal Democrats", "Greens": "Liberal Democrats-Alliance"}


def test_of_three_nested_labels_each_is_recovered_and_all_hold_at_most_everything(tmp_path: Path) -> None:
    document = gles_document()
    for label in document["target"]["labels"]:
        label["text"] = NESTED.get(label["name"], label["name"])
    mapping = small_mapping(target=document["target"])
    people = respondents.load(gles_file(tmp_path, ".parquet", 900), mapping).voters()
    # The truth: everybody votes for the party they identify with, and who has none stays at home.
    own = {str(code): name for code, name in mapping.own_party.labels.items()} | {"808": "Non-voter"}
    loyal = pl.col("vote") == pl.col("party_id").replace_strict(own, default="")
    people = dataclasses.replace(people, frame=people.frame.filter(loyal))
    base = tiny_base(people, hidden_size=64, intermediate_size=96)
    with torch.no_grad():
        base.model.lm_head.weight.mul_(20)  # a random head as it is cannot be sure of any token
    (found,) = language.Predictor(fine_tuned(epochs=20), base).predict(make_tasks(people)[:1])
    assert found.facts["scoring"] == "sequence" and "both begin with the token" in found.facts["scoring_because"]
    assert (found.reading.mass <= 1 + 1e-6).all()
    truth = folds.class_indices(found.task.test, mapping)
    predicted = found.reading.probabilities.argmax(axis=1)
    for name in NESTED:
        mine = truth == mapping.labels.index(name)
        assert mine.sum() >= 10 and (predicted[mine] == truth[mine]).mean() > 0.9, name


def test_nested_labels_that_nothing_can_end_are_refused(people: respondents.Respondents, base: Any) -> None:
    import copy

    tokenizer = copy.deepcopy(base.tokenizer)
    tokenizer.eos_token = None
    _, found = prompts(people, 1)
    tokeniser = Tokeniser(tokenizer)
    tokeniser._encoder.split = lambda context, answer, real=tokeniser._encoder.split: real(context, answer.rstrip("\n"))
    with pytest.raises(VoteError, match=r"the label 'Left-wing' begins with the tokens of 'Left', and this tokenizer"):
        tokeniser.labels(("Left", "Left-wing", "AfD"), found[0])
    assert not tokeniser.labels(("SPD", "AfD"), found[0]).ends


def test_labels_of_the_same_tokens_are_refused(people: respondents.Respondents, base: Any) -> None:
    _, found = prompts(people, 1)
    with pytest.raises(VoteError, match="are the same tokens"):
        Tokeniser(base.tokenizer).labels(("AfD", "SPD", "AfD"), found[0])


def test_a_label_that_melts_into_the_prompt_is_refused(people: respondents.Respondents, base: Any) -> None:
    import dataclasses

    _, found = prompts(people, 1)
    bare = dataclasses.replace(found[0], stem="Af", chat=False)
    merged = type(bare)(bare.instruction, bare.body, "Af", chat=True)
    tokeniser = Tokeniser(base.tokenizer)
    tokeniser._text = lambda prompt: f"x {prompt.stem}"  # type: ignore[method-assign]
    with pytest.raises(VoteError, match="melts into the end of the prompt"):
        tokeniser.labels(("D", "SPD"), merged)


def plain_logprobs(model: Any, context: tuple[int, ...], label: tuple[int, ...]) -> list[float]:
    """Return the label's token log-probs from one unpadded forward pass."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([[*context, *label]]), use_cache=False).logits[0].double()
    logprobs = torch.log_softmax(logits, dim=-1)
    return [float(logprobs[len(context) - 1 + k, token]) for k, token in enumerate(label)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("scoring", ["first", "sequence"])
def test_readings_equal_one_plain_forward_per_label(
    people: respondents.Respondents, architecture: str, scoring: Any
) -> None:
    window = {"sliding_window": 200} if architecture in ("mistral", "gemma2") else {}
    base = tiny_base(people, architecture, **window)
    tokeniser = Tokeniser(base.tokenizer)
    one, found = prompts(people, 5)
    labels, contexts = tokeniser.labels(one.labels, found[0]), tokeniser.contexts(found)
    reading = read(base, [], [contexts], labels.ids, scoring, rows=2)[0]
    for row, context in enumerate(contexts):
        each = [plain_logprobs(base.model, context, ids) for ids in labels.ids]
        scores = np.array([one[0] if scoring == "first" else sum(one) for one in each])
        odds = np.exp(scores)
        assert reading.probabilities[row] == pytest.approx(odds / odds.sum(), abs=1e-5)
        assert reading.mass[row] == pytest.approx(odds.sum(), rel=1e-4)


def test_adapters_answer_their_own_respondents_as_each_would_alone(people: respondents.Respondents, base: Any) -> None:
    tokeniser = Tokeniser(base.tokenizer)
    one, found = prompts(people, 7)
    labels, contexts = tokeniser.labels(one.labels, found[0]), tokeniser.contexts(found)
    adapters = []
    for number in range(2):
        adapter = new_adapter(
            base.model, LoraShape(r=2 + number, alpha=4, targets="all-linear"), torch.Generator().manual_seed(number)
        )
        for lora in adapter.modules.values():
            lora.b.copy_(torch.randn(lora.b.shape, generator=torch.Generator().manual_seed(number)))
        adapters.append(adapter)
    parts = [contexts[:3], contexts[2:]]
    together = read(base, adapters, parts, labels.ids, "sequence", rows=2)
    for adapter, part, reading in zip(adapters, parts, together, strict=True):
        with stacked(base.model, [adapter]):
            for row, context in enumerate(part):
                odds = np.exp([sum(plain_logprobs(base.model, context, ids)) for ids in labels.ids])
                assert reading.probabilities[row] == pytest.approx(odds / odds.sum(), abs=1e-5)


def test_a_prompt_longer_than_the_base_takes_is_refused(people: respondents.Respondents, base: Any) -> None:
    with pytest.raises(VoteError, match=r"the longest prompt has 301 tokens, the base 'tiny' takes 256"):
        read(base, [], [[(5,) * 300]], [(6, 7)], "sequence")
    small = tiny_base(people, max_position_embeddings=16)
    with pytest.raises(VoteError, match="the base 'tiny' takes 16"):
        next(language.Predictor(fine_tuned(), small).predict(make_tasks(people)))


def test_the_loss_is_on_the_label_alone(people: respondents.Respondents, base: Any) -> None:
    task = make_tasks(people)[0]
    predictor = language.Predictor(fine_tuned(), base)
    blocks = predictor._blocks(task, 64)
    labels = predictor._labels(task)
    assert len(blocks) == task.train.height
    for row, label in enumerate(task.truth):
        wanted = blocks.labels[row]
        assert wanted[wanted != IGNORED].tolist() == list(labels.ids[label])


def fine_tuned(**changes: Any) -> LanguageModel:
    settings = {
        "r": 16,
        "alpha": 32,
        "epochs": 10,
        "learning_rate": 3e-3,
        "blocks_per_step": 32,
        "targets": "all-linear",
        "warmup_steps": 5,
    }
    return LanguageModel(name="ft", mode="fine-tuned", train=Train(**{**settings, **changes}))


def figures(prediction: language.Prediction) -> dict[str, float]:
    truth = folds.class_indices(prediction.task.test, prediction.task.mapping)
    return metrics.all_figures(truth, prediction.reading.probabilities)


def test_a_fine_tuned_model_beats_its_zero_shot_self_in_every_fold(people: respondents.Respondents, base: Any) -> None:
    tasks = make_tasks(people)
    zero = [figures(one) for one in language.Predictor(LanguageModel(name="z", mode="zero-shot"), base).predict(tasks)]
    fitted = list(language.Predictor(fine_tuned(), base).predict(tasks))
    tuned = [figures(one) for one in fitted]
    for before, after in zip(zero, tuned, strict=True):
        assert after["log_loss"] < before["log_loss"] - 0.05
        assert after["accuracy"] >= before["accuracy"]
    assert np.mean([one["accuracy"] for one in tuned]) > np.mean([one["accuracy"] for one in zero]) + 0.05
    assert all(one.facts["last_loss"] < one.facts["first_loss"] for one in fitted)


def test_a_fold_gives_the_same_bits_whatever_is_trained_beside_it(people: respondents.Respondents, base: Any) -> None:
    tasks = make_tasks(people)
    short = fine_tuned(epochs=None, steps=3, warmup_steps=0)
    together = list(language.Predictor(short, base).predict(tasks))
    alone = list(language.Predictor(short, base).predict(tasks[1:2], tasks))
    first, second = together[1].adapter, alone[0].adapter
    assert first is not None and second is not None
    for name, lora in first.modules.items():
        assert torch.equal(lora.a, second.modules[name].a) and torch.equal(lora.b, second.modules[name].b)


def test_the_base_is_asked_each_prompt_once_over_folds_and_conditions(
    people: respondents.Respondents, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    real = language.read
    monkeypatch.setattr(language, "read", lambda *given: asked.append(len(given[2][0])) or real(*given))
    cases = folds.expand([Condition(name="full"), Condition(name="half", fractions=(0.5,))], people.mapping)
    both = [folds.make_task(people, case, *split) for case in cases for split in folds.splits(people, 3, [24])]
    found = list(language.Predictor(LanguageModel(name="z", mode="zero-shot"), base).predict(both))
    _, every = prompts(people, people.frame.height)
    assert sum(asked) == len({prompt.plain() for prompt in every})
    assert np.array_equal(found[0].reading.probabilities, found[3].reading.probabilities)


def test_few_shot_examples_come_from_the_training_part(people: respondents.Respondents, base: Any) -> None:
    task = make_tasks(people)[0]
    marked = task.train.with_columns(gender=pl.lit("-99"))
    spied = folds.Task(task.mapping, task.case, 0, 24, task.items, marked, task.test)
    predictor = language.Predictor(LanguageModel(name="f", mode="few-shot", shots=2), base)
    contexts = predictor._contexts(spied, spied.test.head(4), examples=True)
    for context in contexts:
        assert base.tokenizer.decode(context).count("Gender: no answer") == 2


def test_sampled_answers_are_shares_of_labels_and_repeatable(people: respondents.Respondents, base: Any) -> None:
    tokeniser = Tokeniser(base.tokenizer)
    one, found = prompts(people, 4)
    contexts = tokeniser.contexts(found)
    options: dict[str, Any] = {"samples": 40, "temperature": 1.0, "max_tokens": 3, "seed": 5}
    decode = base.tokenizer.decode
    first, second = (sample(base, None, contexts, one.labels, decode, **options) for _ in range(2))
    assert np.array_equal(first.probabilities, second.probabilities)
    sums = first.probabilities.sum(axis=1)
    assert np.array_equal(sums > 0, first.mass > 0) and sums[sums > 0] == pytest.approx(1)


def test_a_completion_counts_for_the_longest_label_it_begins_with() -> None:
    labels = ("Left", "Left Party", "AfD")
    assert _match(" 'left party' of course", labels) == 1
    assert _match("Left!", labels) == 0
    assert _match("I vote AfD", labels) is None


def test_a_mapping_in_one_language_takes_plain_words() -> None:
    mapping = small_mapping()
    assert isinstance(mapping, SurveyMapping) and mapping.languages == ("en",)
