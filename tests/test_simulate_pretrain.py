"""The small base model: its text, its tokenizer, its training, and the one that ships."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from temporal_adapters.worlds import demo_base, language, pretext
from temporal_adapters.worlds.pretrain import BOS, EOS, Size, batches, pretrain, save, train_tokenizer

TINY = Size(vocab_size=400, d_model=16, n_layers=1, n_heads=2, d_mlp=32, batch_tokens=512)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(pretext.documents(1, 300))


def test_the_text_is_the_same_for_a_seed_and_another_for_another(texts: list[str]) -> None:
    assert list(pretext.documents(1, 300)) == texts
    assert list(pretext.documents(2, 300)) != texts


def test_the_text_has_no_opinion_of_its_own() -> None:
    lines = [line for document in pretext.documents(3, 6000) for line in document.split("\n")]
    found = np.array([_mentions(lines, words) for words in language.MOODS.values()])
    shares = found / found.sum()
    assert shares.max() < 1.35 / 12
    assert shares.min() > 0.65 / 12


def _mentions(lines: list[str], words: tuple[str, ...]) -> int:
    pattern = re.compile(r"\b(?:" + "|".join(map(re.escape, words)) + r")\b", re.I)
    return sum(bool(pattern.search(line)) for line in lines)


def test_the_tokenizer_begins_every_text_once_and_gives_back_what_it_was_given(texts: list[str]) -> None:
    tokenizer = train_tokenizer(texts, 400)
    for text in (texts[0], "naïve café – 🙂 \u00a0x", ""):
        ids = tokenizer(text)["input_ids"]
        assert ids.count(tokenizer.bos_token_id) == 1
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids[1:]) == text
    assert (tokenizer.bos_token, tokenizer.eos_token) == (BOS, EOS)


def test_batches_hold_every_row_once_and_keep_to_their_size() -> None:
    lengths = np.random.default_rng(0).integers(2, 60, 500)
    found = batches(lengths, 256, np.random.default_rng(1))
    assert sorted(np.concatenate(found).tolist()) == list(range(500))
    assert all(len(rows) * lengths[rows].max() <= 256 or len(rows) == 1 for rows in found)


def test_pre_training_lowers_the_loss_and_repeats_itself_bit_by_bit(texts: list[str], tmp_path: Path) -> None:
    losses: list[float] = []
    size = replace(TINY, epochs=3)
    first, tokenizer = pretrain(texts, size, lambda tick: losses.append(float(tick.note.removeprefix("loss "))))
    again, _ = pretrain(texts, size)
    assert losses[-1] < losses[0] - 1.0
    for name, weight in first.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    save(first, tokenizer, tmp_path / "base")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded, words = (
        AutoModelForCausalLM.from_pretrained(tmp_path / "base"),
        AutoTokenizer.from_pretrained(tmp_path / "base"),
    )
    ids = torch.tensor([words(texts[0])["input_ids"]])
    assert ids.tolist() == [tokenizer(texts[0])["input_ids"]]
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, first(ids).logits)


def test_documents_longer_than_the_context_are_cut(texts: list[str]) -> None:
    model, _ = pretrain(texts[:50], replace(TINY, context=16))
    assert model.config.max_position_embeddings == 16


@pytest.fixture(scope="module")
def shipped() -> tuple[object, object]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(demo_base.FOLDER).eval(), AutoTokenizer.from_pretrained(
        demo_base.FOLDER
    )


def test_the_shipped_base_is_small_and_in_single_precision(shipped: tuple[object, object]) -> None:
    model, _ = shipped
    assert 0.5e6 < model.num_parameters() < 1.5e6  # type: ignore[attr-defined]
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}  # type: ignore[attr-defined]
    assert sum(file.stat().st_size for file in demo_base.FOLDER.iterdir()) < 5e6


def test_the_shipped_base_knows_posts_that_it_never_saw(shipped: tuple[object, object]) -> None:
    from random import Random

    model, tokenizer = shipped
    rng = Random(1)
    total = count = 0.0
    for _ in range(200):
        ids = torch.tensor([tokenizer(language.sentence(rng, language.PLAIN_CLAUSES))["input_ids"]])  # type: ignore[operator]
        with torch.no_grad():
            total += model(ids, labels=ids).loss.item() * (ids.shape[1] - 1)  # type: ignore[operator]
        count += ids.shape[1] - 1
    assert total / count < 2.3, "log-loss per token; the templates' own entropy is about 1.8"


def test_the_shipped_base_puts_mood_words_after_the_mood_question(shipped: tuple[object, object]) -> None:
    model, tokenizer = shipped
    ids = torch.tensor([tokenizer(f"{pretext.QUESTIONS[0]} I felt")["input_ids"]])  # type: ignore[operator]
    with torch.no_grad():
        p = model(ids).logits[0, -1].softmax(-1)  # type: ignore[operator]
    starts = {
        tokenizer(f" {word}", add_special_tokens=False)["input_ids"][0]
        for words in language.MOODS.values()
        for word in words
    }  # type: ignore[operator]
    starts |= {tokenizer(f" {mood}", add_special_tokens=False)["input_ids"][0] for mood in language.MOODS}  # type: ignore[operator]
    assert p[sorted(starts)].sum() > 0.95
