"""Converting bases: GGUF as llama.cpp writes it, wheels, checkpoints, merged adapters; damage is one sentence."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest
import torch
from tiny import save_tiny_base, tiny_model, tiny_tokenizer
from tokenizers_for_tests import byte_bpe

from temporal_adapters.engines.model import LoraShape, load_base, new_adapter, stacked, write_adapter
from temporal_adapters.engines.model.adapter import Adapter, Lora
from temporal_adapters.engines.model.convert import convert, read_note
from temporal_adapters.ground.errors import ModelError
from temporal_adapters.study.config.model import Model

gguf = pytest.importorskip("gguf", reason="GGUF files need the extra `gguf`")

IDS = torch.randint(3, 250, (2, 24), generator=torch.Generator().manual_seed(1))


def load(folder):
    return load_base(Model(base=str(folder), device="cpu"))


def permuted(weight, heads):
    """Interleave the two halves of each head's rows, as llama.cpp's converter (LlamaModel.permute) does."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    )


NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def write_gguf(path, model, tokenizer, kind=None, pre="gpt-2"):
    """Write a Llama as llama.cpp's convert_hf_to_gguf.py does: its names, its permutation, its metadata."""
    config, writer = model.config, gguf.GGUFWriter(str(path), "llama")
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    backend = json.loads(tokenizer.backend_tokenizer.to_str())
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<") and len(token) > 2 else 1 for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in backend["model"]["merges"]])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_add_bos_token(True)
    for name, weight in model.state_dict().items():
        array, short = weight.numpy(), name.removesuffix(".weight")
        if "q_proj" in name or "k_proj" in name:
            array = permuted(array, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        if short.startswith("model.layers."):
            number, inner = short.removeprefix("model.layers.").split(".", 1)
            target = f"blk.{number}.{NAMES[inner]}.weight"
        else:
            target = f"{NAMES[short]}.weight"
        if kind is not None and array.ndim == 2:
            writer.add_tensor(target, gguf.quants.quantize(array, kind), raw_dtype=kind)
        else:
            writer.add_tensor(target, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def model():
    return tiny_model(hidden_size=64, intermediate_size=96)


@pytest.fixture(scope="module")
def source(model, tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf", model, byte_bpe())


def test_a_gguf_file_gives_the_logits_of_the_model_that_it_was_made_from(model, source, tmp_path):
    note = convert(source, tmp_path / "base")
    base = load(tmp_path / "base")
    torch.testing.assert_close(base.model(IDS).logits, model(IDS).logits)
    assert (note.name, note.licence, note.architecture) == ("Tiny", "apache-2.0", "llama")
    assert note.n_parameters == model.num_parameters() and read_note(tmp_path / "base")["sha256"] == note.sha256


def test_quantised_weights_are_those_that_the_package_gguf_dequantises(model, tmp_path):
    kind = gguf.GGMLQuantizationType.Q8_0
    convert(write_gguf(tmp_path / "q.gguf", model, byte_bpe(), kind), tmp_path / "base")
    got, name = load(tmp_path / "base").model.state_dict(), "model.layers.0.mlp.up_proj.weight"
    plain = model.state_dict()[name].numpy()
    expected = gguf.quants.dequantize(gguf.quants.quantize(plain, kind), kind)
    assert (expected != plain).any()
    torch.testing.assert_close(got[name], torch.from_numpy(expected), rtol=0, atol=0)


@pytest.mark.parametrize(("pre", "n_digits"), [("gpt-2", 3), ("smollm", 1), ("llama-bpe", 3), ("qwen2", 1)])
def test_the_tokenizer_splits_as_the_file_says(model, tmp_path, pre, n_digits):
    """Digits tell the rules apart: three of them in a row are one piece or three."""
    convert(write_gguf(tmp_path / "t.gguf", model, byte_bpe(), pre=pre), tmp_path / "base")
    tokenizer = load(tmp_path / "base").tokenizer
    pieces = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("123")
    assert [len(piece) for piece, _ in pieces] == [n_digits] * (3 // n_digits)
    assert tokenizer("I feel Happy")["input_ids"] == byte_bpe()("I feel Happy")["input_ids"]


def test_a_split_that_is_not_known_is_refused(model, tmp_path):
    path = write_gguf(tmp_path / "t.gguf", model, byte_bpe(), pre="of-tomorrow")
    with pytest.raises(ModelError, match="splits text by rules called 'of-tomorrow'"):
        convert(path, tmp_path / "base")


def test_a_wheel_that_holds_a_gguf_file_is_read_and_its_code_left_alone(source, tmp_path):
    wheel = tmp_path / "llm_tiny-0.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(source, "llm_tiny/tiny.gguf")
        archive.writestr("llm_tiny/__init__.py", "raise SystemExit('code was run')")
    assert convert(wheel, tmp_path / "base").source == "tiny.gguf"
    assert convert(source.parent, tmp_path / "other").source == "tiny.gguf"


def test_a_bin_checkpoint_in_shards_becomes_safetensors_of_the_same_weights(model, tmp_path):
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    names = list(weights)
    parts = {"pytorch_model-00001-of-00002.bin": names[:5], "pytorch_model-00002-of-00002.bin": names[5:]}
    folder = tmp_path / "old"
    folder.mkdir()
    for file, mine in parts.items():
        torch.save({name: weights[name] for name in mine}, folder / file)
    index = {"metadata": {}, "weight_map": {name: file for file, mine in parts.items() for name in mine}}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    model.config.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    (folder / "LICENSE.txt").write_text("MIT")
    note = convert(folder, tmp_path / "base")
    torch.testing.assert_close(load(tmp_path / "base").model(IDS).logits, model(IDS).logits)
    assert note.licence == "LICENSE.txt" and (tmp_path / "base" / "LICENSE.txt").is_file()


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_an_adapter_is_merged_as_peft_merges_it(architecture, tmp_path):
    """Second source: PEFT's merge_and_unload."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    base = save_tiny_base(tmp_path / "base", architecture)
    plain = load(base)
    fresh = new_adapter(plain.model, LoraShape(4, 8), torch.Generator().manual_seed(0))
    modules = {name: Lora(lora.a, torch.randn_like(lora.b) * 0.1, lora.scale) for name, lora in fresh.modules.items()}
    write_adapter(tmp_path / "adapter", Adapter(modules, fresh.config), str(base))
    convert(tmp_path / "adapter", tmp_path / "merged")
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter")
    expected = theirs.merge_and_unload()(IDS).logits
    torch.testing.assert_close(load(tmp_path / "merged").model(IDS).logits, expected, rtol=1e-5, atol=1e-5)
    with stacked(plain.model, [Adapter(modules, fresh.config)]):
        torch.testing.assert_close(plain.model(IDS).logits, expected, rtol=1e-4, atol=1e-5)


def refuse(source, target, match, **more):
    with pytest.raises(ModelError, match=match):
        convert(source, target, **more)
    assert not target.exists() and not list(target.parent.glob(f".{target.name}-*"))


def test_a_gguf_file_cut_in_the_middle_is_refused_and_nothing_is_written(source, tmp_path):
    for share in (0.001, 0.3, 0.9):
        cut = tmp_path / f"cut{share}.gguf"
        cut.write_bytes(source.read_bytes()[: int(source.stat().st_size * share)])
        refuse(cut, tmp_path / "base", "cut short|damaged")


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    model = tiny_model()
    model.model.norm.weight.data[3] = float("nan")
    model.save_pretrained(tmp_path / "bad")
    tiny_tokenizer().save_pretrained(tmp_path / "bad")
    refuse(tmp_path / "bad", tmp_path / "base", "model.norm.weight holds values that are no finite numbers")


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    tiny_model(vocab_size=100).save_pretrained(tmp_path / "bad")
    tiny_tokenizer().save_pretrained(tmp_path / "bad")
    refuse(tmp_path / "bad", tmp_path / "base", "100 embeddings: the tokenizer is that of another model")


def test_damage_of_a_checkpoint_is_one_sentence(tmp_path):
    whole = save_tiny_base(tmp_path / "whole")
    cut = shutil.copytree(whole, tmp_path / "cut")
    content = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(content[: len(content) // 2])
    refuse(cut, tmp_path / "base", "damaged or cut short")
    empty = shutil.copytree(whole, tmp_path / "empty")
    (empty / "model.safetensors").unlink()
    refuse(empty, tmp_path / "base", "cannot be loaded")
    wide = shutil.copytree(whole, tmp_path / "wide")
    config = json.loads((wide / "config.json").read_text())
    (wide / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    refuse(wide, tmp_path / "base", "other shapes than config.json says")
    deep = shutil.copytree(whole, tmp_path / "deep")
    (deep / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    refuse(deep, tmp_path / "base", "lack 9 weights of the architecture")


def test_code_of_the_model_s_own_is_not_run(tmp_path):
    folder = save_tiny_base(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    own = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Mine", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config | own))
    (folder / "mine.py").write_text("raise SystemExit('code was run')")
    refuse(folder, tmp_path / "base", "needs code of its own")
    with pytest.raises(ModelError, match="needs code of its own"):
        load(folder)


def test_other_sources_are_refused_by_name(source, tmp_path):
    save_tiny_base(tmp_path / "there")
    with pytest.raises(ModelError, match="exists already"):
        convert(source, tmp_path / "there")
    refuse(tmp_path / "nothing", tmp_path / "base", "does not exist")
    (tmp_path / "empty").mkdir()
    refuse(tmp_path / "empty", tmp_path / "base", "holds no config.json")
    two = tmp_path / "two"
    two.mkdir()
    for name in ("a.gguf", "b.gguf"):
        shutil.copy(source, two / name)
    refuse(two, tmp_path / "base", r"2 GGUF files \(a.gguf, b.gguf\)")
    (tmp_path / "x.whl").write_text("no archive")
    refuse(tmp_path / "x.whl", tmp_path / "base", "no readable wheel")


def test_a_study_that_names_a_gguf_file_is_told_to_convert_it(source):
    with pytest.raises(ModelError, match=r"run `ta base convert .*tiny\.gguf FOLDER`"):
        load(source)
