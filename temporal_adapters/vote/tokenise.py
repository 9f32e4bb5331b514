"""Prompts and labels as token ids, with the split between them checked.

Takes a tokenizer and prompts, gives ids. Knows no weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from temporal_adapters.ground.errors import VoteError
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
        Token ids of each class behind the prompt.
    collision
        A sentence about two classes that begin with the same token, None where all first tokens differ.
    """

    words: tuple[str, ...]
    ids: tuple[Ids, ...]
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
        self._known: dict[str, Ids] = {}
        ids = tokenizer("a")["input_ids"]
        bos = tokenizer.bos_token_id
        self._bos = int(bos) if bos is not None and len(ids) and ids[0] == bos else None

    def contexts(self, prompts: Sequence[Prompt]) -> list[Ids]:
        """Return the ids of each prompt, the beginning-of-text token exactly once where the tokenizer uses one."""
        texts = [self._text(prompt) for prompt in prompts]
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            for text, ids in zip(new, self.tokenizer(new, add_special_tokens=False)["input_ids"], strict=True):
                self._known[text] = self._begin(ids)
        return [self._known[text] for text in texts]

    def _begin(self, ids: Sequence[int]) -> Ids:
        if self._bos is None or (ids and ids[0] == self._bos):
            return tuple(ids)
        return (self._bos, *ids)

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
        found: list[Ids] = []
        for word in words:
            whole = self._begin(self.tokenizer(text + prompt.delimiter + word, add_special_tokens=False)["input_ids"])
            if whole[: len(context)] != context:
                raise VoteError(
                    f"the label {word!r} melts into the end of the prompt {text[-12:]!r} in this tokenizer: end "
                    "the prompt differently"
                )
            ids = whole[len(context) :]
            if not ids:
                raise VoteError(f"the label {word!r} has no token in this tokenizer: give the class another `text`")
            if ids in found:
                raise VoteError(
                    f"the labels {words[found.index(ids)]!r} and {word!r} are the same tokens: give one of them "
                    "another `text`"
                )
            found.append(ids)
        return Labels(tuple(words), tuple(found), self._collision(words, found))

    def _collision(self, words: Sequence[str], ids: Sequence[Ids]) -> str | None:
        first: dict[int, str] = {}
        for word, label in zip(words, ids, strict=True):
            if label[0] in first:
                shared = self.tokenizer.decode([label[0]])
                return f"{first[label[0]]!r} and {word!r} both begin with the token {shared!r}"
            first[label[0]] = word
        return None
