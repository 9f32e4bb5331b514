"""Folds x conditions of a vote experiment on one resident base, against one model per run.

    python benchmarks/vote.py [--quick]

Three ways compute the same probabilities, with the same initial adapters, data order, steps and loss:

notebook   as the published code does: per condition and fold the base is loaded from disk, wrapped by PEFT, trained
           with one respondent per forward pass and gradient accumulation, and answers one respondent at a time
tuned      the same loop by a careful person: base loaded once, one forward pass per step, batched answers
ours       `temporal_adapters.vote`: all folds and conditions side by side on one resident base

Equality is checked first (largest difference of any probability); no ratio is printed when it fails. Times are CPU
seconds of this process on one thread, median of the repeats, so that a busy machine does not decide. What is counted:
everything from the respondents' rows to the class probabilities of every test part. The notebook's trainer and logging
are left out (that favours the notebook). The last line is one JSON line; `notebook_over_ours` is the main ratio.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from temporal_adapters.engines.model import LoraShape, load_base, new_adapter
from temporal_adapters.stages.train import Job
from temporal_adapters.study.config.experiment import Condition, LanguageModel, PromptStyle
from temporal_adapters.study.config.model import Model
from temporal_adapters.study.config.train import Train
from temporal_adapters.study.config.vote import load_mapping
from temporal_adapters.vote import files, folds, language, respondents, specimen
from temporal_adapters.vote.prompts import Writer

TOLERANCE = 2e-3
"""Largest difference of a probability: two routes through float32 training drift apart by this much in some steps."""

BATCH, R, ALPHA, RATE = 8, 8, 8.0, 5e-3
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def prepare(folder: Path, n: int, hidden: int, layers: int) -> respondents.Respondents:
    """Write a survey file and a random Llama base whose tokenizer knows the survey's words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    survey = files.open_survey(specimen.write(specimen.simulate(n, 11), folder / "gles.sav"))
    people = respondents.load(survey, load_mapping("gles2017-post")).voters()
    writer = Writer(people.mapping, PromptStyle(), people.mapping.items)
    texts = [writer.prompt(row).plain() for row in people.frame.head(200).iter_rows(named=True)]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<pad>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    inner.train_from_iterator(texts + [f" {label}" for label in writer.labels] * 20, trainer)
    inner.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=int(2.7 * hidden),
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    return people


def make_tasks(people: respondents.Respondents, n_folds: int, conditions: int) -> list[folds.Task]:
    given = [
        Condition(name="full"),
        Condition(name="without", leave_out_party="SPD"),
        Condition(name="half", fractions=(0.5,)),
    ]
    cases = folds.expand(given[:conditions], people.mapping)
    parts = list(folds.splits(people, n_folds, [24]))
    return [folds.make_task(people, case, *part) for case in cases for part in parts]


def settings(folder: Path, steps: int) -> LanguageModel:
    train = Train(r=R, alpha=ALPHA, targets=TARGETS, learning_rate=RATE, steps=steps, blocks_per_step=BATCH)
    return LanguageModel(name="ft", mode="fine-tuned", base=Model(base=str(folder / "base"), device="cpu"), train=train)


def ours(folder: Path, tasks: list[folds.Task], steps: int) -> list[np.ndarray]:
    model = settings(folder, steps)
    predictor = language.Predictor(model, load_base(model.base))
    return [one.reading.probabilities for one in predictor.predict(tasks)]


class Loop:
    """A plain PEFT loop on one task.

    Parameters
    ----------
    micro
        Respondents per forward pass in training; `answer_rows` when answering.
    """

    def __init__(self, folder: Path, steps: int, micro: int, answer_rows: int, reload: bool) -> None:
        self.folder, self.steps, self.micro, self.rows, self.reload = folder, steps, micro, answer_rows, reload
        self.base = None if reload else AutoModelForCausalLM.from_pretrained(folder / "base")
        self.predictor = language.Predictor(settings(folder, steps), load_base(settings(folder, steps).base))

    def __call__(self, tasks: list[folds.Task]) -> list[np.ndarray]:
        """Return the probabilities of every task."""
        return [self._one(task) for task in tasks]

    def _one(self, task: folds.Task) -> np.ndarray:
        base = AutoModelForCausalLM.from_pretrained(self.folder / "base") if self.reload else self.base
        config = LoraConfig(r=R, lora_alpha=ALPHA, target_modules=list(TARGETS), task_type="CAUSAL_LM")
        model = get_peft_model(base, config)
        name = f"{task.case.name}/fold-{task.fold}"
        labels = self.predictor._labels(task)
        contexts = self.predictor._contexts(task, task.train)
        examples = [(context, labels.ids[truth]) for context, truth in zip(contexts, task.truth, strict=True)]
        job = Job(name, _Sized(len(examples)), task.seed, name)  # type: ignore[arg-type]
        self._start(model, job)
        self._train(model, examples, job)
        found = self._answer(model, self.predictor._contexts(task, task.test), [ids[0] for ids in labels.ids])
        if not self.reload:
            self.base = model.unload()
        return found

    def _start(self, model: Any, job: Job) -> None:
        """Put in the initial adapter of our engine: the same random numbers."""
        plain = self.predictor.base.model
        start = new_adapter(plain, LoraShape(r=R, alpha=ALPHA, targets=TARGETS), job.generator("init"))
        modules = dict(model.base_model.model.named_modules())
        with torch.no_grad():
            for name, lora in start.modules.items():
                modules[name].lora_A["default"].weight.copy_(lora.a)
                modules[name].lora_B["default"].weight.copy_(lora.b)

    def _train(self, model: Any, examples: list[tuple[Any, Any]], job: Job) -> None:
        weights = [one for one in model.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(weights, lr=RATE, weight_decay=0.0)
        model.train()
        for step in range(self.steps):
            chosen = [examples[k] for k in job.order(step * BATCH, BATCH)]
            n_labels = sum(len(label) for _, label in chosen)
            for at in range(0, BATCH, self.micro):
                ids, wanted, seen = _pad(chosen[at : at + self.micro])
                logits = model(input_ids=ids, attention_mask=seen).logits[:, :-1]
                loss = functional.cross_entropy(
                    logits.flatten(0, 1), wanted[:, 1:].flatten(), ignore_index=-100, reduction="sum"
                )
                (loss / n_labels).backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.param_groups[0]["lr"] = RATE * (self.steps - step) / self.steps
            optimizer.step()
            optimizer.zero_grad()

    def _answer(self, model: Any, contexts: list[Any], first: list[int]) -> np.ndarray:
        model.eval()
        found = []
        with torch.no_grad():
            for at in range(0, len(contexts), self.rows):
                part = contexts[at : at + self.rows]
                ids, _, seen = _pad([(context, ()) for context in part])
                logits = model(input_ids=ids, attention_mask=seen).logits
                last = torch.tensor([len(context) - 1 for context in part])
                found.append(torch.softmax(logits[torch.arange(len(part)), last][:, first].double(), dim=1))
        return torch.cat(found).numpy()


class _Sized:
    """As long as the training part: what the order of the examples depends on."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n


def _pad(examples: list[tuple[Any, Any]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    length = max(len(context) + len(label) for context, label in examples)
    ids = torch.zeros(len(examples), length, dtype=torch.long)
    wanted, seen = torch.full_like(ids, -100), torch.zeros_like(ids)
    for row, (context, label) in enumerate(examples):
        stop = len(context) + len(label)
        ids[row, :stop] = torch.tensor([*context, *label])
        wanted[row, len(context) : stop] = torch.tensor(label, dtype=torch.long)
        seen[row, :stop] = 1
    return ids, wanted, seen


def measure(compute: Callable[[], list[np.ndarray]]) -> tuple[float, list[np.ndarray]]:
    gc.collect()
    started = time.process_time()
    found = compute()
    return time.process_time() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, one repeat")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    n, n_folds, conditions, steps, repeats = (120, 2, 1, 4, 1) if quick else (200, 5, 2, 8, 3)
    hidden, layers = (64, 2) if quick else (128, 3)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        people = prepare(folder, n, hidden, layers)
        tasks = make_tasks(people, n_folds, conditions)
        ways: dict[str, Callable[[], list[np.ndarray]]] = {
            "ours": lambda: ours(folder, tasks, steps),
            "notebook": lambda: Loop(folder, steps, 1, 1, reload=True)(tasks),
            "tuned": lambda: Loop(folder, steps, BATCH, 32, reload=False)(tasks),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        reference: list[np.ndarray] | None = None
        worst = 0.0
        for _ in range(repeats):
            for name, compute in ways.items():
                seconds, found = measure(compute)
                times[name].append(seconds)
                reference = reference or found
                worst = max(worst, *(float(np.abs(a - b).max()) for a, b in zip(reference, found, strict=True)))
    equal = worst < TOLERANCE
    print(f"{len(tasks)} runs ({n_folds} folds x {conditions} conditions), {steps} steps of {BATCH}")
    print(f"largest difference of a probability {worst:.1e}")
    if not equal:
        print(json.dumps({"equal": False, "largest_difference": worst}))
        raise SystemExit(1)
    for name, seconds in times.items():
        print(f"{name:10s} {statistics.median(seconds):8.2f} s CPU (min {min(seconds):.2f}, max {max(seconds):.2f})")
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    ratios = {f"{name}_over_ours": round(middle[name] / middle["ours"], 2) for name in ("notebook", "tuned")}
    print(json.dumps({"equal": True, "ratios": ratios, **ratios, "runs": len(tasks), "largest_difference": worst}))


if __name__ == "__main__":
    main()
