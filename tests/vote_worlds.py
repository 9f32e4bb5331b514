"""Survey files, mappings and tiny bases that the tests of the vote study share."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from temporal_adapters.ground import resources
from temporal_adapters.study.config.document import plain, read_yaml
from temporal_adapters.study.config.vote import SurveyMapping, load_mapping
from temporal_adapters.vote import files, respondents, specimen

GLES = "gles2017-post"


def gles_file(folder: Path, suffix: str = ".sav", n: int = 600, seed: int = 1, clean: bool = False) -> files.SurveyFile:
    """Write a GLES-shaped file and open it."""
    return files.open_survey(specimen.write(specimen.simulate(n, seed, clean), folder / f"gles{suffix}"))


def gles_people(folder: Path, n: int = 600, seed: int = 1) -> respondents.Respondents:
    """Return the voters of a GLES-shaped file."""
    return respondents.load(gles_file(folder, ".parquet", n, seed), load_mapping(GLES)).voters()


def gles_document() -> dict[str, Any]:
    """Return the shipped GLES mapping as plain data, to be changed."""
    return copy.deepcopy(plain(read_yaml(resources.path("surveys", GLES))))


def small_mapping(**changes: Any) -> SurveyMapping:
    """Return a GLES mapping with three items and a prompt of a few words, for tiny language models."""
    document = gles_document()
    document["items"] = [item for item in document["items"] if item["name"] in ("gender", "party_id", "residency")]
    document["subgroups"] = ["gender"]
    document["prompt"] = {"instruction": "Who got the vote ?", "answer": "Vote:", "story": "I voted for"}
    document["languages"] = ["en"]
    return SurveyMapping.model_validate(_english({**document, **changes}))


def _english(node: Any) -> Any:
    if isinstance(node, dict):
        return node["en"] if "en" in node else {key: _english(value) for key, value in node.items()}
    return [_english(value) for value in node] if isinstance(node, list) else node


def word_tokenizer(texts: list[str]) -> Any:
    """Return a byte-level BPE tokenizer trained on `texts`, with BOS in front, as Llama's."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(texts, trainer)
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>")


def tiny_base(people: respondents.Respondents, architecture: str = "llama", seed: int = 0, **config: Any) -> Any:
    """Return a random two-layer base whose tokenizer knows the words of the prompts of `people`."""
    import torch
    from tiny import tiny_model

    from temporal_adapters.engines.model import Base
    from temporal_adapters.study.config.experiment import PromptStyle
    from temporal_adapters.vote.prompts import Writer

    writer = Writer(people.mapping, PromptStyle(), people.mapping.items)
    rows = list(people.frame.head(150).iter_rows(named=True))
    texts = [f"{writer.prompt(row).plain()} {writer.labels[people.mapping.labels.index(row['vote'])]}" for row in rows]
    tokenizer = word_tokenizer(texts + [f" {label}" for label in writer.labels] * 20)
    model = tiny_model(architecture, seed, vocab_size=len(tokenizer), **config)
    return Base(model, tokenizer, "tiny", f"tiny-{architecture}-{seed}", torch.device("cpu"), torch.float32)
