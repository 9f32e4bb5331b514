"""Posts of one week under one base: the probability of every option of every wording after every post.

Takes texts, questions and a resident base, gives one array. Knows no weeks and no files.

A post is computed once however many wordings and options follow it: they are branches of one tree of tokens, and posts
share trees as far as these hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.engines.scoring.methods import PROMPT
from temporal_adapters.ground.errors import ReadError
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import plan
from temporal_adapters.study.questionnaire import Item, Questionnaire
from temporal_adapters.study.questionnaire.prompts import AS_WRITTEN, option_orders, render

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from temporal_adapters.engines.model import Base
    from temporal_adapters.study.config.read import Read

_METHOD = "sequence"
_POSTS_AT_ONCE = 64  # posts whose trees are planted together: enough to fill trees, little to hold


@dataclass(frozen=True)
class Question:
    """One surface form after one wording.

    Attributes
    ----------
    item, wording, option
        Names, as in ANSWERS.
    prompt
        Text between the post and the answer.
    answer
        Delimiter and surface form.
    """

    item: str
    wording: str
    option: str
    prompt: str
    answer: str


def questions(questionnaires: Sequence[Questionnaire], tokenizer: Any, wordings: Sequence[str]) -> list[Question]:
    """Return what is asked after every post: forms whose mass another form counts already are left out.

    Raises
    ------
    ReadError
        If no wording can be read, or one that is named does not exist.
    ProbeError
        If options cannot be told apart under this tokenizer.
    """
    found: list[Question] = []
    encoder = Encoder(tokenizer)
    for questionnaire in questionnaires:
        if not any(_readable(item, wordings) for item in questionnaire.items):
            continue
        for ask in plan(questionnaire, encoder, [_METHOD]):
            item = questionnaire.item(ask.item)
            wording = next(one for one in item.wordings if one.name == ask.wording)
            if ask.context == PROMPT and ask.order == AS_WRITTEN and wording in _readable(item, wordings):
                prompt = render(item, wording, option_orders(item, wording)[AS_WRITTEN])
                found.append(Question(item.name, wording.name, ask.option, prompt.plain, prompt.delimiter + ask.form))
    known = {question.wording for question in found}
    for name in wordings:
        if name not in known:
            raise ReadError(f"read.wordings names {name!r}, which no question of the study can be read by")
    if not found:
        raise ReadError("read: no wording of the questionnaires asks for an option after a plain text: add one")
    return found


def _readable(item: Item, wordings: Sequence[str]) -> list[Any]:
    """Return the wordings of an item that can follow a post."""
    plain = [one for one in item.wordings if one.ask == "whole" and one.listing == "none" and not one.chat]
    return [one for one in plain if not wordings or one.name in wordings]


def cells(asked: Sequence[Question]) -> list[tuple[str, str, str]]:
    """Return the (item, wording, option) of `asked`, in order: the columns of `masses`."""
    return list(dict.fromkeys((one.item, one.wording, one.option) for one in asked))


def masses(
    base: Base,
    texts: Sequence[str],
    asked: Sequence[Question],
    settings: Read,
    *,
    max_nodes: int,
    told: Callable[[int], None] = lambda n: None,
) -> tuple[NDArray[np.float64], int]:
    """Return the probability of each option after each post, and how many posts were cut.

    Parameters
    ----------
    base
        A resident base.
    texts
        Posts.
    asked
        Questions, as `questions` gives them.
    settings
        Template and longest post.
    max_nodes
        Tokens of one tree; 1 asks every answer as a row of its own.
    told
        Hears how many posts are read.

    Returns
    -------
    array (n_posts, n_cells)
        Sums over the forms of an option; columns as in `cells`.
    int
        Posts longer than `settings.post_tokens`.
    """
    from temporal_adapters.stages.probe.forward import Engine
    from temporal_adapters.stages.probe.tree import Path

    encoder, column = Encoder(base.tokenizer), {cell: number for number, cell in enumerate(cells(asked))}
    found, n_cut = np.zeros((len(texts), len(column))), 0
    for at in range(0, len(texts), _POSTS_AT_ONCE):
        paths, places = [], []
        for row in range(at, min(at + _POSTS_AT_ONCE, len(texts))):
            text, was_cut = cut(base.tokenizer, texts[row], settings.post_tokens)
            n_cut += was_cut
            opening = settings.template.replace("{post}", text)
            for one in asked:
                encoded = encoder.split(opening + one.prompt, one.answer)
                paths.append(Path(encoded.context, encoded.answer))
                places.append((row, column[one.item, one.wording, one.option]))
        engine = Engine(base.model, paths, max_nodes=max_nodes)
        if at == 0:
            engine.verify()
        for (row, cell), score in zip(places, engine.score([])[0], strict=True):
            found[row, cell] += np.exp(sum(score.logprobs))
        told(min(at + _POSTS_AT_ONCE, len(texts)))
    return found, n_cut


def cut(tokenizer: Any, text: str, n_tokens: int) -> tuple[str, bool]:
    """Return `text` up to its first `n_tokens` tokens, and whether anything was left out."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    if len(offsets) <= n_tokens:
        return text, False
    return text[: offsets[n_tokens - 1][1]], True


def n_tokens(tokenizer: Any, texts: Sequence[str], asked: Sequence[Question], settings: Read) -> tuple[int, int]:
    """Return the tokens of all trees (what must be read) and of one sequence per post, wording and form."""
    encoder = Encoder(tokenizer)
    nodes = rows = 0
    for text in texts:
        opening = settings.template.replace("{post}", cut(tokenizer, text, settings.post_tokens)[0])
        seen: set[tuple[int, ...]] = set()
        for one in asked:
            encoded = encoder.split(opening + one.prompt, one.answer)
            ids = encoded.context + encoded.answer[:-1]
            rows += len(ids)
            seen.update(_beginnings(ids))
        nodes += len(seen)
    return nodes, rows


def _beginnings(ids: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return (ids[:end] for end in range(1, len(ids) + 1))
