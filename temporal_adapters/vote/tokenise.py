"""Prompts and labels as token ids, with the split between them checked.

Takes a tokenizer and prompts, gives ids. Knows no weights; the split is that of `stages.probe.encode`.

A label ends: behind its words stands the line end that the prompt's lines have (in a chat, the token that ends a turn).
Without it, a class whose words begin another's could never lose to it, nor the longer ever be predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temporal_adapters.ground.errors import ProbeError, VoteError
from temporal_adapters.stages.probe import Encoder
from temporal_adapters.vote.prompts import Prompt

Ids = tuple[int, ...]


@dataclass(frozen=True)
class Labels:
    """The classes as token ids.

    Attributes
    ----------
    words
        Words of each class.
    ids
        Token ids of each class behind the prompt, its end included.
    ends
        Whether an end stands behind every class: then no class begins another one.
    collision
        A sentence about two classes that begin with the same token, None where all first tokens differ.
    """

    words: tuple[str, ...]
    ids: tuple[Ids, ...]
    ends: bool
    collision: str | None

    def scoring(self, asked: Literal["auto", "first", "sequence"]) -> Literal["first", "sequence"]:
        """Return how the classes are scored.

        Raises
        ------
        VoteError
            If first tokens are asked for although two classes share one.
        """
        if asked == "first" and self.collision is not None:
            raise VoteError(
                f"`scoring: first` cannot tell the classes apart: {self.collision}; use `auto` or `sequence`, or "
                "give `text`"
            )
        if asked == "auto":
            return "first" if self.collision is None else "sequence"
        return asked


class Tokeniser:
    """Encodes prompts of one style; remembers texts it has seen."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self._encoder = Encoder(tokenizer)
        self._known: dict[str, Ids] = {}

    def contexts(self, prompts: Sequence[Prompt]) -> list[Ids]:
        """Return the ids of each prompt, the beginning-of-text token exactly once where the tokenizer uses one."""
        texts = [self._text(prompt) for prompt in prompts]
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            for text, ids in zip(new, self.tokenizer(new, add_special_tokens=False)["input_ids"], strict=True):
                self._known[text] = self._encoder.begin(ids)
        return [self._known[text] for text in texts]

    def _text(self, prompt: Prompt) -> str:
        if not prompt.chat:
            return prompt.plain()
        if not getattr(self.tokenizer, "chat_template", None):
            raise VoteError("the base's tokenizer has no chat template: set `chat: false` in the prompt")
        return str(self.tokenizer.apply_chat_template(prompt.messages(), tokenize=False, add_generation_prompt=True))

    def labels(self, words: Sequence[str], prompt: Prompt) -> Labels:
        """Return the classes as they follow `prompt`.

        Raises
        ------
        VoteError
            If a token reaches over the end of the prompt, a class has no token, or two classes are the same tokens.
        """
        text, context = self._text(prompt), self.contexts([prompt])[0]
        bare = [self._behind(text, context, prompt.delimiter + word, word) for word in words]
        for place, ids in enumerate(bare):
            if ids in bare[:place]:
                raise VoteError(
                    f"the labels {words[bare.index(ids)]!r} and {words[place]!r} are the same tokens: give one of them "
                    "another `text`"
                )
        ended = [self._ended(text, prompt, word, ids) for word, ids in zip(words, bare, strict=True)]
        ends = all(len(whole) > len(ids) for whole, ids in zip(ended, bare, strict=True))
        if not ends:
            _require_no_prefix(words, bare)
        return Labels(tuple(words), tuple(ended if ends else bare), ends, self._collision(words, bare))

    def _behind(self, text: str, context: Ids, answer: str, word: str) -> Ids:
        """Return the ids of `answer` behind the prompt, which must keep the ids that it has alone."""
        try:
            found = self._encoder.split(text, answer)
        except ProbeError as error:
            if "no token" in str(error):
                raise VoteError(
                    f"the label {word!r} has no token in this tokenizer: give the class another `text`"
                ) from None
            found = None
        if found is None or found.context != context:
            raise VoteError(
                f"the label {word!r} melts into the end of the prompt {text[-12:]!r} in this tokenizer: end "
                "the prompt differently"
            )
        return found.answer

    def _ended(self, text: str, prompt: Prompt, word: str, ids: Ids) -> Ids:
        """Return a label with its end: the line end, else the tokenizer's end of text; without one as it is."""
        if not prompt.chat:
            whole = self._encoder.split(text, f"{prompt.delimiter}{word}\n").answer
            end = whole[len(ids) :]
            if whole[: len(ids)] == ids and end and end[0] != self.tokenizer.unk_token_id:
                return whole
        end_of_text = self.tokenizer.eos_token_id
        return ids if end_of_text is None else (*ids, int(end_of_text))

    def _collision(self, words: Sequence[str], ids: Sequence[Ids]) -> str | None:
        first: dict[int, str] = {}
        for word, label in zip(words, ids, strict=True):
            if label[0] in first:
                shared = self.tokenizer.decode([label[0]])
                return f"{first[label[0]]!r} and {word!r} both begin with the token {shared!r}"
            first[label[0]] = word
        return None


def _require_no_prefix(words: Sequence[str], ids: Sequence[Ids]) -> None:
    """Refuse labels of which one begins another where nothing ends them."""
    for short, begin in zip(words, ids, strict=True):
        for long, whole in zip(words, ids, strict=True):
            if begin != whole and whole[: len(begin)] == begin:
                raise VoteError(
                    f"the label {long!r} begins with the tokens of {short!r}, and this tokenizer has no line end "
                    "and no end of text that could end a label: give one of the classes another `text`"
                )
