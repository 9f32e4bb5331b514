"""Which architectures of the installed transformers this works on: each built tiny from its config, then checked.

    python benchmarks/architectures.py             # the table of docs/bases.md, as Markdown
    python benchmarks/architectures.py llama bloom # some of them

Columns: the base loads (saved and read again); posts in one block, and blocks, do not see each other; one post per row
trains; PEFT reads an adapter on all linear layers to the same logits; answers asked as a tree, and one by one, are
those of a plain forward pass. A refusal stands with its sentence below the table. Random weights are drawn wide, so
that a leak shows.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

SMALL = {
    **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), 260),
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "word_embed_proj_dim"), 32),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "d_ff"), 48),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size"), 32),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "attention_heads", "num_heads"), 4),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "num_experts_per_tok", "moe_topk", "top_k"), 2),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"), 256),
    **dict.fromkeys(("n_group", "topk_group", "n_shared_experts"), 1),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "sliding_window", "mamba_d_head"), 16),
    **dict.fromkeys(("head_dim", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "rotary_dim"), 8),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "mamba_d_state", "state_size"), 8),
    **dict.fromkeys(("linear_num_value_heads", "linear_num_key_heads"), 2),
    **{"mamba_n_heads": 4, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2},
}
"""Whatever of these a configuration has is set."""

_MLA = {"num_key_value_heads": 4, "num_hidden_layers": 2, "first_k_dense_replace": 1, "num_experts_per_tok": 2}
_SSM = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "vocab_size": 260,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SPECIAL: dict[str, dict[str, Any]] = {
    "deepseek_v2": {**_MLA, "topk_method": "greedy"},
    "deepseek_v3": _MLA,
    "falcon": {"head_dim": None, "num_kv_heads": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "mamba": {**_SSM, "only": True},
    "mamba2": {**_SSM, "only": True, "num_heads": 4, "head_dim": 16, "state_size": 8, "n_groups": 1, "chunk_size": 16},
    "falcon_mamba": {**_SSM, "only": True},
    "nemotron": {"num_key_value_heads": 4, "head_dim": 8},
    "youtu": _MLA,
}
"""Configurations whose fields hang together in other ways."""

_NAMES = """
llama mistral ministral3 mixtral qwen2 qwen2_moe qwen3 qwen3_moe qwen3_next qwen3_5_text gemma gemma2
gemma3_text phi phi3 phimoe smollm3 olmo olmo2 olmo3 olmoe olmo_hybrid flex_olmo gpt2 gpt_neo gpt_neox
gptj gpt_bigcode gpt_oss openai-gpt codegen opt bloom xglm biogpt falcon mpt stablelm starcoder2
persimmon cohere cohere2 cwm deepseek_v2 deepseek_v3 diffllama doge ernie4_5 ernie4_5_moe exaone exaone4
glm glm4 glm4_moe granite granitemoe granitemoehybrid helium apertus arcee bitnet jais2 jetmoe lfm2
llama4_text minimax minimax_m2 modernbert-decoder nanochat nemotron seed_oss vaultgemma youtu mamba
mamba2 falcon_mamba rwkv gpt_neox_japanese aria_text bert t5
"""
ARCHITECTURES = tuple(_NAMES.split())
"""Decoders that stand in the table; bert and t5 stand there because they are none."""

COLUMNS = ("loads", "document", "chunk", "padded", "PEFT", "tree", "rows")


def tiny_config(kind: str) -> Any:
    """Return a small configuration of one architecture, with every kind of layer that it has."""
    from transformers import CONFIG_MAPPING

    special = dict(SPECIAL.get(kind, {}))
    maker = CONFIG_MAPPING[kind]
    if special.pop("only", False):
        return maker(**special)
    plain = maker()
    given = {name: value for name, value in SMALL.items() if getattr(plain, name, None) is not None}
    given |= {name: SMALL[name] for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    kinds = list(dict.fromkeys(getattr(plain, "layer_types", None) or ()))
    if kinds:
        count = max(2, len(kinds))
        given |= {"layer_types": (kinds * 2)[:count], "num_hidden_layers": count}
    given |= special
    return maker(**{name: value for name, value in given.items() if value is not None})


def tiny_tokenizer() -> Any:
    """Return a tokenizer whose tokens are bytes: 0 pad, 1 BOS (put first), 2 EOS, then the 256 bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", *alphabet])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


def build(kind: str, folder: Path) -> Path:
    """Write a tiny random model of one architecture as a Hugging Face folder."""
    from transformers import AutoModel, AutoModelForCausalLM

    torch.manual_seed(0)
    config = tiny_config(kind)
    model = (AutoModel if kind == "t5" else AutoModelForCausalLM).from_config(config)
    if getattr(config, "initializer_range", None) is None:
        for weight in model.parameters():
            weight.data.mul_(4.0 if weight.dim() == 2 else 1.0)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def examine(kind: str) -> dict[str, str]:
    """Return, per column, an empty string or the sentence with which it is refused."""
    from temporal_adapters.engines.model import LoraShape, load_base
    from temporal_adapters.ground.errors import TemporalAdaptersError
    from temporal_adapters.stages.base.check import Wanted, examine
    from temporal_adapters.study.config.model import Model

    with tempfile.TemporaryDirectory() as work:
        try:
            folder = str(build(kind, Path(work) / kind))
            load = lambda: load_base(Model(base=folder, device="cpu"))  # noqa: E731
            load()
        except TemporalAdaptersError as error:
            return {"loads": str(error).replace(folder, kind)}
        except Exception as error:  # the architecture's own code: anything
            return {"loads": f"not built tiny here: {type(error).__name__}: {str(error).splitlines()[0][:100]}"}
        shape, found = LoraShape(4, 8.0, targets="all-linear"), {"loads": ""}
        for attention in ("document", "chunk", "padded"):
            results = examine(load(), Wanted(attention, longest=64, shape=shape))
            sentences = {result.name: result.sentence for result in results}
            found[attention] = next((sentences.get(name, "") for name in _TRAINS if sentences.get(name)), "")
        found["PEFT"], found["tree"] = sentences.get(_PEFT, _NOT), sentences.get(_ASKS, _NOT)
        results = examine(load(), Wanted("padded", longest=64, shape=shape, layout="rows"))
        found["rows"] = {result.name: result.sentence for result in results}.get(_ASKS, _NOT)
    return found


_TRAINS = (
    "is a causal decoder with finite weights",
    "documents do not see each other",
    "one step of training, saved, loaded and asked, gives numbers",
)
_ASKS = "asking gives the log-probabilities of a plain forward pass"
_PEFT = "PEFT reads an adapter to the same logits"
_NOT = "not reached"


def table(found: dict[str, dict[str, str]]) -> str:
    """Return the results as Markdown: a table, and every sentence of refusal once, below it."""
    lines = ["| architecture | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    notes: dict[str, int] = {}
    for kind, results in found.items():
        cells = []
        for column in COLUMNS:
            sentence = results.get(column)
            if sentence:
                number = notes.setdefault(sentence.replace(kind, "ARCHITECTURE"), len(notes) + 1)
                cells.append(f"no ({number})")
            else:
                cells.append("-" if sentence is None else "yes")
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *(f"{number}. {note}" for note, number in notes.items())])


def main(kinds: list[str]) -> None:
    import transformers

    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    found = {}
    for kind in kinds or ARCHITECTURES:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            found[kind] = {name: re.sub(r"'/\S*/", "'", text) for name, text in examine(kind).items()}
        print(kind, file=sys.stderr, flush=True)
    print(table(found))
    whole = sum(not any(results.values()) for results in found.values())
    print(json.dumps({"architectures": len(found), "whole": whole, "transformers": transformers.__version__}))


if __name__ == "__main__":
    main(sys.argv[1:])
