"""What a model of an experiment reads, before anything is computed.

Takes an experiment, a condition and a model, gives lines: for a language model the prompts of a fold's test part as
they will be asked (examples shown, parties masked, items left out), and, with a tokenizer, a training row token by
token with what carries the loss; for a tabular model the columns and their values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config import Baseline, LanguageModel
from temporal_adapters.vote.encode import describe
from temporal_adapters.vote.language import prompts, writer
from temporal_adapters.vote.tokenise import Tokeniser

if TYPE_CHECKING:
    from temporal_adapters.vote.experiment import Run
    from temporal_adapters.vote.folds import Task


def preview(run: Run, model: str | None, condition: str | None, n: int, tokenizer: Any = None) -> Iterator[str]:
    """Yield what a model reads of the first `n` respondents of the first test part.

    Parameters
    ----------
    run
        The experiment with its respondents.
    model, condition
        Their names; None: the first language model (or, without any, the first model), the first condition.
    n
        Respondents to show.
    tokenizer
        Shows tokens of a language model's prompts, too.

    Raises
    ------
    VoteError
        If there is no such model or condition.
    """
    cells = [cell for cell in run.cells if condition in (None, cell.case.name)]
    if not cells:
        names = ", ".join(dict.fromkeys(cell.case.name for cell in run.cells))
        raise VoteError(f"--condition {condition}: the experiment has no such condition (it has: {names})")
    ordered = sorted(cells, key=lambda cell: isinstance(cell.model, Baseline))
    cell = next((one for one in ordered if model in (None, one.model.name)), None)
    if cell is None:
        names = ", ".join(dict.fromkeys(one.model.name for one in cells))
        raise VoteError(f"--model {model}: the experiment has no such model under this condition (it has: {names})")
    task = run.task(cell)
    yield f"--- condition {cell.case.name}, model {cell.model.name}: {task.train.height} respondents to learn from"
    if isinstance(cell.model, Baseline):
        yield from _columns(cell.model, task, n)
    else:
        yield from _prompts(cell.model, task, n)
        if tokenizer is not None:
            yield from _tokens(cell.model, task, Tokeniser(tokenizer))


def _columns(model: Baseline, task: Task, n: int) -> Iterator[str]:
    encoding = "ordinal" if model.encoding == "chosen" else model.encoding
    names, _, test = describe(task, encoding)
    for row, values in zip(task.test.head(n).iter_rows(named=True), test[:n], strict=True):
        yield f"--- respondent {row['respondent_id']}, voted {row['vote']}"
        yield from (f"{name}: {value:g}" for name, value in zip(names, values, strict=True) if value)
    yield f"--- {len(names)} columns ({encoding}); those that are 0 are not shown"


def _prompts(model: LanguageModel, task: Task, n: int) -> Iterator[str]:
    part = task.test.head(n)
    for row, prompt in zip(
        part.iter_rows(named=True), prompts(model, task, part, examples=model.mode == "few-shot"), strict=True
    ):
        yield f"--- respondent {row['respondent_id']}, voted {row['vote']}"
        if prompt.chat:
            yield from (f"[{turn['role']}] {turn['content']}" for turn in prompt.messages())
        else:
            yield prompt.plain()
    yield f"--- labels: {' | '.join(writer(model, task).labels)}"


def _tokens(model: LanguageModel, task: Task, tokeniser: Tokeniser) -> Iterator[str]:
    learned = task.train.head(1)
    (prompt,) = prompts(model, task, learned)
    labels = tokeniser.labels(writer(model, task).labels, prompt)
    (context,) = tokeniser.contexts([prompt])
    shown = tokeniser.tokenizer.decode
    yield f"--- {len(context)} tokens before the label; the first training row, token by token (* carries the loss):"
    label = labels.ids[task.mapping.labels.index(learned["vote"][0])]
    trained = model.mode == "fine-tuned"
    yield " ".join(repr(shown([token])) for token in context)
    yield " ".join(repr(shown([token])) + ("*" if trained else "") for token in label)
    for word, ids in zip(labels.words, labels.ids, strict=True):
        yield f"{word}: {' '.join(repr(shown([token])) for token in ids)}"
    yield "each label ends with its last token" if labels.ends else "no token ends a label in this tokenizer"
    why = f" ({labels.collision})" if labels.collision else ""
    yield f"scoring: {labels.scoring(model.prompt.scoring)}{why}"
