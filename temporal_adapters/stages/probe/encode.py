"""Prompt plus option to token ids, with the split between them found once and for certain.

Takes a Hugging Face tokenizer and rendered prompts, gives ids. Knows no model weights.

Prompt, delimiter and option are encoded together, exactly as the model would meet them, and the split is found by
character offsets. A token that reaches over the split would make the option's probability depend on how the prompt's
end was cut: that stops with an explanation instead of a number.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.study.questionnaire import Prompt

ENDINGS = "\n\r.,;:!?)]}\"'"
"""Characters that end an answer when a token begins with one of them."""


@dataclass(frozen=True)
class Encoded:
    """Ids of one prompt with one surface form.

    Attributes
    ----------
    context
        Ids of the prompt, the beginning-of-text token included where the tokenizer uses one.
    answer
        Ids of delimiter and surface form.
    """

    context: tuple[int, ...]
    answer: tuple[int, ...]

    @functools.cached_property
    def context_sha(self) -> str:
        """SHA-256 (first 16 hexadecimal digits) of the context ids."""
        return hashlib.sha256(" ".join(map(str, self.context)).encode()).hexdigest()[:16]


class Encoder:
    """Encodes prompts with one tokenizer.

    Parameters
    ----------
    tokenizer
        A Hugging Face tokenizer.

    Notes
    -----
    Beginning of text: exactly once if the tokenizer puts one in front by itself, never otherwise; a chat template that
    already holds it gets no second one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.bos = _automatic_bos(tokenizer)

    def context_text(self, prompt: Prompt) -> str:
        """Return the whole prompt as text, chat template applied.

        Raises
        ------
        ProbeError
            If the prompt is a chat and the tokenizer has no chat template, or refuses the system message.
        """
        if not prompt.chat:
            return prompt.plain
        from jinja2 import TemplateError

        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.question})
        if not getattr(self.tokenizer, "chat_template", None):
            raise ProbeError("the tokenizer has no chat template: set `chat: false` in the wording")
        try:
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except TemplateError as error:
            raise ProbeError(f"the tokenizer's chat template refuses this prompt: {error}") from error
        return str(text) + prompt.prefix

    def encode(self, prompt: Prompt, form: str) -> Encoded:
        """Return the ids of `prompt` followed by the surface form `form`.

        Raises
        ------
        ProbeError
            If a token straddles the split, or the prompt has no token.
        """
        # A chat turn opens right behind the template's header: there is nothing to delimit.
        delimiter = "" if prompt.chat and not prompt.prefix else prompt.delimiter
        return self.split(self.context_text(prompt), delimiter + form)

    def split(self, context: str, answer: str) -> Encoded:
        """Return the ids of two texts that follow each other, encoded together and parted where they meet.

        Raises
        ------
        ProbeError
            If a token straddles the split, or one of the two has no token.
        """
        ids, n_context = self._split(context, answer)
        begun = self.begin(ids)
        ids, n_context = list(begun), n_context + len(begun) - len(ids)
        if n_context == 0:
            raise ProbeError(
                f"the prompt before {answer!r} has no token and the tokenizer has no beginning of text: add a text"
            )
        if n_context == len(ids):
            raise ProbeError(f"the surface form {answer!r} has no token under this tokenizer")
        return Encoded(tuple(ids[:n_context]), tuple(ids[n_context:]))

    def begin(self, ids: Sequence[int]) -> tuple[int, ...]:
        """Return ids with the beginning of text in front, exactly once, where the tokenizer uses one."""
        if self.bos is None or (ids and ids[0] == self.bos):
            return tuple(ids)
        return (self.bos, *ids)

    def _split(self, context: str, answer: str) -> tuple[list[int], int]:
        whole = context + answer
        if not getattr(self.tokenizer, "is_fast", False):
            return self._split_without_offsets(context, whole)
        encoded = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        ids, split = list(encoded["input_ids"]), len(context)
        for index, (start, end) in enumerate(encoded["offset_mapping"]):
            if start < split < end:
                raise ProbeError(_straddle(whole[start:end], context, answer))
            if end > split:
                return ids, index
        return ids, len(ids)

    def _split_without_offsets(self, context: str, whole: str) -> tuple[list[int], int]:
        ids = list(self.tokenizer(whole, add_special_tokens=False)["input_ids"])
        head = list(self.tokenizer(context, add_special_tokens=False)["input_ids"])
        if ids[: len(head)] != head:
            raise ProbeError(_straddle(whole[len(context) - 5 :], context, whole[len(context) :]))
        return ids, len(head)

    def terminators(self) -> tuple[int, ...]:
        """Return the ids of all tokens that end an answer: end of text or turn, line ends, closing punctuation."""
        special = set(self.tokenizer.all_special_ids)
        count = len(self.tokenizer)
        texts = self.tokenizer.batch_decode([[index] for index in range(count)], clean_up_tokenization_spaces=False)
        return tuple(i for i in range(count) if i in special or (texts[i] and texts[i][0] in ENDINGS))


def _automatic_bos(tokenizer: Any) -> int | None:
    bos = tokenizer.bos_token_id
    ids = tokenizer("a")["input_ids"]
    return int(bos) if bos is not None and len(ids) > 0 and ids[0] == bos else None


def _straddle(token: str, context: str, answer: str) -> str:
    return (
        f"the token {token!r} reaches over the split between the prompt's end {context[-20:]!r} and the answer "
        f"{answer!r}: end the prompt differently, or change the wording's delimiter"
    )
