"""Prompts to tokens: the split, beginning of text, chat templates, and three kinds of tokenizer."""

from __future__ import annotations

import pytest
from tokenizers_for_tests import byte_bpe, metaspace

from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import plan
from temporal_adapters.stages.probe.preview import cost, preview
from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording, load
from temporal_adapters.study.questionnaire.prompts import Prompt

QUESTION = "Broadly speaking, which of the following best describe your mood?"


def prompt(
    text: str = QUESTION, prefix: str = "", chat: bool = False, delimiter: str = " ", system: str = ""
) -> Prompt:
    return Prompt(text, prefix, system, chat, delimiter)


TOKENIZERS = {
    "bytes with BOS": lambda: byte_bpe(bos=True),
    "bytes without BOS": lambda: byte_bpe(bos=False),
    "byte BPE with BOS": lambda: byte_bpe(bos=True, vocab=400),
    "byte BPE without BOS": lambda: byte_bpe(bos=False, vocab=400),
    "SentencePiece style": metaspace,
}


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_context_and_answer_are_exactly_what_the_tokenizer_makes_of_the_whole_text(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]()
    encoder = Encoder(tokenizer)
    for form in ("Happy", "sad", "Inspired"):
        encoded = encoder.encode(prompt(prefix="I felt"), form)
        whole = f"{QUESTION} I felt {form}"
        assert list(encoded.context + encoded.answer) == tokenizer(whole)["input_ids"]
        # The whole's tail is decoded: SentencePiece drops the space in front of a first token.
        assert tokenizer.decode(encoded.context + encoded.answer, skip_special_tokens=True).endswith(form)
        assert tokenizer.decode(encoded.answer).strip() == form
        assert encoded.context.count(1) == (1 if tokenizer("a")["input_ids"][0] == 1 else 0)


def test_an_automatic_eos_does_not_get_between_question_and_answer() -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = byte_bpe()
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    encoded = Encoder(tokenizer).encode(prompt(), "Happy")
    assert 2 not in encoded.context + encoded.answer
    assert encoded.context[0] == 1


def test_a_chat_template_with_bos_gets_no_second_one() -> None:
    tokenizer = byte_bpe(chat=True)
    encoded = Encoder(tokenizer).encode(prompt(chat=True, prefix="I felt", system="You are a citizen."), "Happy")
    assert encoded.context.count(1) == 1 and encoded.context[0] == 1
    text = tokenizer.decode(encoded.context)
    assert text.endswith(f"<|user|>user: {QUESTION}\n<|user|>assistant: I felt")
    assert tokenizer.decode(encoded.answer) == " Happy"
    bare = Encoder(tokenizer).encode(prompt(chat=True), "Happy")
    assert tokenizer.decode(bare.answer) == "Happy", "the turn opens behind the header: nothing to delimit"


def test_a_tokenizer_without_chat_template_says_so() -> None:
    with pytest.raises(ProbeError, match="has no chat template: set `chat: false`"):
        Encoder(byte_bpe()).encode(prompt(chat=True), "Happy")


def test_a_chat_template_that_refuses_a_system_message_is_one_sentence() -> None:
    tokenizer = byte_bpe(chat=True)
    tokenizer.chat_template = "{{ raise_exception('System role not supported') }}"
    with pytest.raises(ProbeError, match="chat template refuses this prompt: System role not supported"):
        Encoder(tokenizer).encode(prompt(chat=True, system="You are a citizen."), "Happy")


def test_a_token_over_the_split_stops_with_an_explanation() -> None:
    tokenizer = byte_bpe(vocab=400)
    joint = tokenizer.tokenize(" Happy")
    assert len(joint) < 6, "the test needs a merged token"
    with pytest.raises(ProbeError, match=r"the token '.*' reaches over the split .* 'I felt Hap'.*"):
        Encoder(tokenizer).encode(prompt("I felt Hap", delimiter=""), "py")


def test_an_empty_prompt_needs_a_beginning_of_text() -> None:
    encoded = Encoder(byte_bpe()).encode(prompt("", delimiter=""), "Happy")
    assert encoded.context == (1,)
    with pytest.raises(ProbeError, match="has no token and the tokenizer has no beginning of text"):
        Encoder(byte_bpe(bos=False)).encode(prompt("", delimiter=""), "Happy")


def test_terminators_are_ends_of_text_lines_and_closing_punctuation() -> None:
    tokenizer = byte_bpe(vocab=400)
    ends = {tokenizer.decode([index]) for index in Encoder(tokenizer).terminators()}
    assert {"</s>", "\n", ".", ",", "?"} <= ends
    assert not any(text[0].isalnum() or text[0] == " " for text in ends)


def test_options_of_one_token_sequence_are_refused() -> None:
    options = (Option("a", "Maße"), Option("b", "Masse"))
    item = Item("q", "select_one", options, (Wording("w", "Was?"),))

    class Folding(Encoder):
        """An encoder whose tokenizer cannot tell ß from ss."""

        def encode(self, prompt: Prompt, form: str):
            return super().encode(prompt, form.replace("ß", "ss"))

    with pytest.raises(ProbeError, match="'Maße' and 'Masse' have the same tokens"):
        plan(Questionnaire("t", (item,)), Folding(byte_bpe()), ["sequence"])


def test_a_prefix_in_tokens_is_refused_by_sequence_and_barred_by_sequence_end() -> None:
    item = Item("q", "select_one", (Option("1", "1"), Option("10", "10")), (Wording("w", "How many?"),))
    questionnaire, encoder = Questionnaire("t", (item,)), Encoder(byte_bpe())
    with pytest.raises(
        ProbeError, match=r"the tokens of '1' are the beginning of those of '10', which sequence cannot"
    ):
        plan(questionnaire, encoder, ["sequence"])
    asks = {ask.option: ask for ask in plan(questionnaire, encoder, ["sequence+end", "trie"])}
    assert asks["1"].barred == (asks["10"].encoded.answer[-1],) and asks["10"].barred == ()


@pytest.mark.parametrize(
    ("method", "needs"), [("label", "listing: letters"), ("pmi-dc", "premise"), ("pride", "orders")]
)
def test_a_method_that_fits_no_wording_says_what_it_needs(method: str, needs: str) -> None:
    item = Item("q", "select_one", (Option("a", "A"), Option("b", "B")), (Wording("w", "So?"),))
    with pytest.raises(ProbeError, match=f"fits no wording of 't': it needs .*{needs}"):
        plan(Questionnaire("t", (item,)), Encoder(byte_bpe()), [method])


def test_wordings_that_begin_alike_share_their_tokens() -> None:
    questionnaire = load("britains-mood")
    asks = plan(questionnaire, Encoder(byte_bpe(vocab=400)), ["sequence"])
    found = cost(asks, 100_000)
    assert found.n_trees == 1 and found.n_prompts == 5
    assert found.n_tokens < found.n_tokens_rows / 4
    # The question is a part of two prompts and stands in the tree once.
    question = len(byte_bpe(vocab=400)(questionnaire.items[0].wordings[0].text)["input_ids"])
    answers = sum(len(ask.encoded.answer) for ask in asks)
    assert found.n_tokens < question + answers + 60


def test_the_preview_shows_boundaries_split_and_numbers() -> None:
    tokenizer = byte_bpe(vocab=400)
    lines = list(preview([load("government-approval")], tokenizer, ["sequence", "label"], 91, 512, 1_000_000))
    text = "\n".join(lines)
    assert "government-approval / survey / as-written / prompt" in text
    assert "government-approval / listed / 1-0 / label" in text
    assert "<s>│" in text and "║│" not in text
    assert any(line.strip().startswith("║") and line.endswith("(Approve)") for line in lines)
    assert "91 models" in lines[-2] and "floating-point operations" in lines[-1]
