"""The same log-probs from an independent program: lm-eval's HFLM.loglikelihood."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from test_probe_engine import random_adapter
from tiny import tiny_model
from tokenizers_for_tests import byte_bpe, metaspace

from temporal_adapters.engines.model import read_adapter, write_adapter
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.forward import Engine
from temporal_adapters.stages.probe.plan import plan
from temporal_adapters.study.questionnaire import load

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module", autouse=True)
def _lm_eval() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2026-11: lm-eval 0.4.13 and its dependencies warn while they are imported
        pytest.importorskip("lm_eval", reason="lm-eval is not installed")
        import lm_eval.models.huggingface  # noqa: F401


def oracle(model: object, tokenizer: object, pairs: list[tuple[str, str]]) -> list[float]:
    """Log-likelihoods of continuations under lm-eval."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, max_length=256)
        asked = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(pairs)]
        return [value for value, _ in lm.loglikelihood(asked, disable_tqdm=True)]


@pytest.mark.parametrize("kind", ["bytes with BOS", "byte BPE without BOS", "SentencePiece style"])
@pytest.mark.parametrize("with_adapter", [False, True])
def test_log_probs_equal_those_of_lm_eval(kind: str, with_adapter: bool, tmp_path: Path) -> None:
    from peft import PeftModel

    tokenizer = {
        "bytes with BOS": lambda: byte_bpe(),
        "byte BPE without BOS": lambda: byte_bpe(bos=False, vocab=400),
        "SentencePiece style": metaspace,
    }[kind]()
    size = {"vocab_size": 400}
    model, reference = tiny_model(**size), tiny_model(**size)
    adapters = []
    if with_adapter:
        write_adapter(tmp_path / "adapter", random_adapter(model, 4), base="tiny")
        adapters = [read_adapter(tmp_path / "adapter")]
        reference = PeftModel.from_pretrained(reference, str(tmp_path / "adapter")).eval()
    questionnaire = load("government-approval")
    encoder = Encoder(tokenizer)
    asks = [ask for ask in plan(questionnaire, encoder, ["sequence"]) if ask.order == "as-written"]
    ours = Engine(model, [ask.path for ask in asks]).score(adapters)[0]
    prompts = {wording.name: wording for wording in questionnaire.items[0].wordings}
    from temporal_adapters.study.questionnaire.prompts import render

    pairs = [(render(questionnaire.items[0], prompts[ask.wording]).plain, f" {ask.form}") for ask in asks]
    theirs = oracle(reference, tokenizer, pairs)
    assert len(theirs) == 3 * (4 + 4 + 4), "three wordings; each option and its alias in two cases"
    for score, value in zip(ours, theirs, strict=True):
        assert sum(score.logprobs) == pytest.approx(value, abs=1e-4)
