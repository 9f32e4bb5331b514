"""Respondents as text: `item: answer` lines, or first-person running text as in silicon sampling.

Takes a mapping, a respondent and a style, gives a prompt and the words of the classes. Knows no tokenizer.

Running text follows Argyle et al. (2023) and von der Heyde et al. (2024): one sentence per item and code, items whose
answer is missing are left out. In lines, a missing answer stands as its own words, is left out, or was filled in
before, as the mapping says (`when_missing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config import Item, PromptStyle, SurveyMapping


@dataclass(frozen=True)
class Example:
    """A respondent whose vote the prompt shows.

    Attributes
    ----------
    body
        Items as text.
    label
        Words of the vote.
    """

    body: str
    label: str


@dataclass(frozen=True)
class Prompt:
    """One respondent as text, up to the place where the label follows.

    Attributes
    ----------
    instruction
        What to do; may be empty.
    body
        Items as text.
    stem
        Last words before the label.
    chat
        Whether the parts are turns of a conversation.
    examples
        Respondents shown before.
    """

    instruction: str
    body: str
    stem: str
    chat: bool
    examples: tuple[Example, ...] = ()

    @property
    def delimiter(self) -> str:
        """Return what stands between the prompt and the label."""
        return "" if self.chat else " "

    def plain(self) -> str:
        """Return the prompt as one text."""
        shown = [f"{example.body}\n{self.stem} {example.label}" for example in self.examples]
        return "\n\n".join([*filter(None, [self.instruction]), *shown, f"{self.body}\n{self.stem}"])

    def messages(self) -> list[dict[str, str]]:
        """Return the prompt as the turns of a conversation; the label is the assistant's answer."""
        turns = [{"role": "system", "content": self.instruction}] if self.instruction else []
        for example in self.examples:
            turns += [
                {"role": "user", "content": self._ask(example.body)},
                {"role": "assistant", "content": example.label},
            ]
        return [*turns, {"role": "user", "content": self._ask(self.body)}]

    def _ask(self, body: str) -> str:
        return f"{body}\n{self.stem}"


class Writer:
    """Writes prompts in one style.

    Parameters
    ----------
    mapping
        Words of items and answers.
    style
        How.
    items
        Items to show, in the mapping's order.
    masked
        Rename the parties of the own-party item to neutral words.
    seed
        Seed of the order of the items, together with the respondent's id.

    Raises
    ------
    VoteError
        If the mapping has no words in the language asked for, or no sentence for running text.
    """

    def __init__(
        self, mapping: SurveyMapping, style: PromptStyle, items: Sequence[Item], masked: bool = False, seed: int = 0
    ) -> None:
        self.mapping, self.style, self.items, self.masked, self.seed = mapping, style, tuple(items), masked, seed
        self.language = style.language or mapping.languages[0]
        if self.language not in mapping.languages:
            raise VoteError(
                f"the mapping {mapping.survey!r} has no words in {self.language!r} (it has "
                f"{', '.join(mapping.languages)})"
            )
        silent = [item.name for item in items if item.sentence is None and not item.sentences]
        if style.style == "story" and silent:
            raise VoteError(
                f"`style: story` needs a `sentence` for every item, and the mapping {mapping.survey!r} has none for"
                f' {", ".join(silent)}: add them, write `sentence: ""` where an item shall be left out of running text,'
                " text, or take `style: lines`"
            )
        self.labels = tuple(
            self._words(label.text if label.text is not None else label.name) for label in mapping.target.labels
        )

    def prompt(self, row: Mapping[str, Any]) -> Prompt:
        """Return the prompt of one respondent (a row of `Respondents.frame`)."""
        texts = self.mapping.prompt
        story = self.style.style == "story"
        names = ", ".join(f"'{name}'" for name in self.labels)
        instruction = self._words(texts.instruction).replace("{labels}", names)
        return Prompt(
            instruction=instruction if self.style.instruction else "",
            body=self._story(row) if story else self._lines(row),
            stem=self._words(texts.story if story else texts.answer),
            chat=self.style.chat,
        )

    def with_examples(self, prompt: Prompt, rows: Sequence[Mapping[str, Any]]) -> Prompt:
        """Return `prompt` with the respondents `rows` shown before it, votes included."""
        place = {name: self.labels[index] for index, name in enumerate(self.mapping.labels)}
        examples = tuple(Example(self.prompt(row).body, place[row["vote"]]) for row in rows)
        return replace(prompt, examples=examples)

    def _words(self, words: Any) -> str:
        return self.mapping.words(words, self.language)

    def _ordered(self, row: Mapping[str, Any]) -> Sequence[Item]:
        if self.style.order == "fixed":
            return self.items
        seed = [self.seed, *str(row["respondent_id"]).encode()]
        return [self.items[place] for place in np.random.default_rng(seed).permutation(len(self.items))]

    def _lines(self, row: Mapping[str, Any]) -> str:
        lines = []
        for item in self._ordered(row):
            answer = self.answer(item, row[item.name])
            if answer is not None:
                lines.append(f"{self._words(item.question)}: {answer}")
        return "\n".join(lines)

    def answer(self, item: Item, code: str) -> str | None:
        """Return the words of one answer, None where it is missing and to be left out."""
        if self.mapping.no_answer(item, code):
            if item.when_missing == "omit":
                return None
            return self._words(self.mapping.missing_words(item, code))
        own = self.mapping.own_party
        if self.masked and own is not None and item.name == own.item and code in own.labels:
            label = next(label for label in self.mapping.target.labels if label.name == own.labels[code])
            return self._words(label.masked)
        return self._words(item.answers.get(code, code))

    def _story(self, row: Mapping[str, Any]) -> str:
        sentences = []
        for item in self._ordered(row):
            code = row[item.name]
            pattern = item.sentences.get(code, item.sentence)
            if pattern is None or self.mapping.no_answer(item, code):
                continue
            answer = self.answer(item, code) or ""
            sentences.append(self._words(pattern).replace("{answer}", answer))
        return " ".join(sentence for sentence in sentences if sentence)
