"""Scoring methods: token log-probs of one question under one adapter to one log-score per option.

Takes form scores, gives scores and masses. Pure arithmetic in float64; knows no model, no file, and of other models
only the base where a method compares with it.

Notation: l(a given c) is the summed log-probability of the form a after the context c, and L(o given c) the log of the
sum of exp l(a given c) over the forms a of the option o.

| name | log-score s(o) | source |
|---|---|---|
| `sequence` | L(o given c) | Argyle et al. 2023 |
| `sequence+end` | log sum over forms of exp(l + log P(terminator given c, a)) | the two-step "1" versus "10" problem |
| `trie` | log sum over forms of prod_t p(a_t) / sum of p over the allowed tokens | guided choice |
| `first` | log of the mass of the forms' first tokens | Santurkar et al. 2023; caveat Wang et al. 2024 |
| `label` | L over the forms "A" and " A" of the option's label | Santurkar et al. 2023 |
| `token-mean` | max over forms of l / n tokens | lm-eval; ranking only |
| `byte` | max over forms of l / UTF-8 bytes | lm-eval; ranking only |
| `pmi-dc` | L(o given c) - L(o given premise) | Holtzman et al. 2021 |
| `contextual` | L(o given c) - log mean_j exp L(o given c_j) | Zhao et al. 2021 |
| `base` | L(o given c) - L_base(o given c) | contrast to the adapter switched off |
| `inclusion` | log of P(yes) / (P(yes) + P(no)) given c_o | one prompt per option, no sum constraint |
| `permutation` | log of the mean over orders of exp L(label) | Dominguez-Olmedo et al. 2024 |
| `pride` | L(label) - log prior(position), prior from the base | Zheng et al. 2024 (2309.03882) |
| `legacy-v1`, `-v2`, `-v3` | sums of what the published script put on tokens | replication only |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from temporal_adapters.engines.scoring.question import OptionScore, Question, logsumexp
from temporal_adapters.engines.scoring.records import FormScore
from temporal_adapters.ground.errors import ScoringError

PROMPT, LABEL, PREMISE, CONTENT_FREE, INCLUSION = "prompt", "label", "premise", "content-free", "inclusion"
"""Kinds of context: the question; the question with labels as answers; what `pmi-dc` and `contextual` compare with; one
question per option answered by yes or no."""

LEGACY = ("legacy-v1", "legacy-v2", "legacy-v3")
"""Contexts of the published script, one per variant."""


Scorer = Callable[[Question], dict[str, OptionScore]]


@dataclass(frozen=True)
class Method:
    """One scoring method.

    Attributes
    ----------
    contexts
        Kinds of context it needs; the first one decides which wordings it fits.
    score
        The arithmetic.
    needs
        What a wording must have, in words.
    ends
        Whether it needs the terminators' probability.
    orders
        What it does with several orders: nothing (each is scored alone), `mean` over them, or `debias` each by the
        position prior of the base.
    alone
        Every option is an event of its own: shares do not sum to 1, masses are per option.
    """

    contexts: tuple[str, ...]
    score: Scorer
    needs: str
    ends: bool = False
    orders: Literal["each", "mean", "debias"] = "each"
    alone: bool = False


def _exp(value: float) -> float:
    return math.exp(min(value, 0.0))


def _best(forms: Sequence[FormScore]) -> FormScore:
    return max(forms, key=lambda row: row.total)


def _mass(question: Question, context: str) -> dict[str, float]:
    """Return option -> mass; a form that goes on from another one is inside that one's mass already."""
    rows = [row for forms in question.options(context).values() for row in forms]
    whole = {(row.context_sha, row.token_ids) for row in rows}
    found = dict.fromkeys(question.options(context), 0.0)
    for row in rows:
        if not any((row.context_sha, row.token_ids[:end]) in whole for end in range(1, row.n_tokens)):
            found[row.option] += math.exp(row.total)
    return found


def _combine(question: Question, score: Callable[[Sequence[FormScore]], float]) -> dict[str, OptionScore]:
    mass = _mass(question, PROMPT)
    return {
        option: OptionScore(score(forms), _best(forms).n_tokens, mass[option])
        for option, forms in question.options(PROMPT).items()
    }


def _sum(question: Question, context: str) -> dict[str, float]:
    return {name: logsumexp(row.total for row in forms) for name, forms in question.options(context).items()}


def sequence(question: Question) -> dict[str, OptionScore]:
    """Score by the whole text of the option: L(o|c). The option need not be listed in the prompt."""
    return _combine(question, lambda forms: logsumexp(row.total for row in forms))


def sequence_end(question: Question) -> dict[str, OptionScore]:
    """Score by the whole text and its end, so that options of which one begins the other are disjoint events."""
    scores = {}
    for option, forms in question.options(PROMPT).items():
        s = logsumexp(row.total + _end(row) for row in forms)
        scores[option] = OptionScore(s, _best(forms).n_tokens, _exp(s))
    return scores


def _end(row: FormScore) -> float:
    if row.end is None:
        raise ScoringError(f"item {row.item!r}: the probability of the answer's end was not computed: probe again")
    return row.end


def trie(question: Question) -> dict[str, OptionScore]:
    """Score by a walk through the tree of all forms, renormalised over the allowed tokens at every step.

    Where one form ends and another goes on, ending is an allowed step with the terminators' probability.
    """
    options = question.options(PROMPT)
    rows = [row for forms in options.values() for row in forms]
    if len({row.context_sha for row in rows}) > 1:
        raise ScoringError(f"item {rows[0].item!r}: the options follow differently tokenised prompts, trie needs one")
    steps = _steps(rows)
    totals = {tokens: logsumexp(branch.values()) for tokens, branch in steps.items()}
    mass = _mass(question, PROMPT)
    scores = {}
    for option, forms in options.items():
        s = logsumexp(_walk(row, steps, totals) for row in forms)
        scores[option] = OptionScore(s, _best(forms).n_tokens, mass[option])
    return scores


_STOP = -1


def _steps(rows: Sequence[FormScore]) -> dict[tuple[int, ...], dict[int, float]]:
    steps: dict[tuple[int, ...], dict[int, float]] = {}
    for row in rows:
        for t, (token, logprob) in enumerate(zip(row.token_ids, row.logprobs, strict=True)):
            steps.setdefault(row.token_ids[:t], {})[token] = logprob
    for row in rows:
        if row.token_ids in steps:
            steps[row.token_ids][_STOP] = _end(row)
    return steps


def _walk(
    row: FormScore, steps: Mapping[tuple[int, ...], Mapping[int, float]], totals: Mapping[tuple[int, ...], float]
) -> float:
    walked = sum(logprob - totals[row.token_ids[:t]] for t, logprob in enumerate(row.logprobs))
    if row.token_ids in steps:
        walked += steps[row.token_ids][_STOP] - totals[row.token_ids]
    return walked


def first(question: Question) -> dict[str, OptionScore]:
    """Score by the mass of the first tokens of all forms; options that share one cannot be scored.

    Raises
    ------
    ScoringError
        If two options share a first token.
    """
    owner: dict[int, str] = {}
    scores = {}
    for option, forms in question.options(PROMPT).items():
        for row in forms:
            if owner.setdefault(row.token_ids[0], option) != option:
                raise ScoringError(
                    f"item {row.item!r}, wording {row.wording!r}: the options {owner[row.token_ids[0]]!r} and "
                    f"{option!r} share a first token, `first` cannot tell them apart: use sequence"
                )
        s = logsumexp({row.token_ids[0]: row.logprobs[0] for row in forms}.values())
        scores[option] = OptionScore(s, 1, _exp(s))
    return scores


def label(question: Question) -> dict[str, OptionScore]:
    """Score by the label under which the option is listed, with and without a space in front."""
    return {
        option: OptionScore(s := logsumexp(row.total for row in forms), _best(forms).n_tokens, _exp(s))
        for option, forms in question.options(LABEL).items()
    }


def token_mean(question: Question) -> dict[str, OptionScore]:
    """Score by log-probability per token: a ranking without a probability behind it."""
    return _combine(question, lambda forms: max(row.total / row.n_tokens for row in forms))


def byte(question: Question) -> dict[str, OptionScore]:
    """Score by log-probability per UTF-8 byte: a ranking without a probability behind it."""
    return _combine(question, lambda forms: max(row.total / row.n_bytes for row in forms))


def _minus(question: Question, other: Mapping[str, float]) -> dict[str, OptionScore]:
    return {
        option: OptionScore(score.logprob - other[option], score.n_tokens, score.mass)
        for option, score in sequence(question).items()
    }


def pmi_dc(question: Question) -> dict[str, OptionScore]:
    """Score by what the question adds to the option's log-probability after a premise that asks nothing."""
    return _minus(question, _sum(question, PREMISE))


def contextual(question: Question) -> dict[str, OptionScore]:
    """Score by what the question adds to the option's mean probability after prompts without content."""
    sums = [_sum(question, context) for context in question.contexts(CONTENT_FREE)]
    if not sums:
        raise ScoringError(f"item {question.rows[0].item!r}: no content-free prompt was asked")
    return _minus(question, {o: logsumexp(s[o] for s in sums) - math.log(len(sums)) for o in sums[0]})


def base_contrast(question: Question) -> dict[str, OptionScore]:
    """Score by the difference to the base model: its clr is the clr of the adapter minus the clr of the base."""
    if question.base is None:
        raise ScoringError(f"item {question.rows[0].item!r}: the base contrast needs the base's answers")
    return _minus(question, {option: score.logprob for option, score in sequence(question.base).items()})


def inclusion(question: Question) -> dict[str, OptionScore]:
    """Score each option alone: P(yes) / (P(yes) + P(no)); the clr of the pair (yes, no) is half their log-odds."""
    scores = {}
    for option, forms in question.options(INCLUSION).items():
        yes = [row for row in forms if row.answer == "yes"]
        log_yes = logsumexp(row.total for row in yes)
        log_no = logsumexp(row.total for row in forms if row.answer == "no")
        both = logsumexp((log_yes, log_no))
        s = log_yes - both
        scores[option] = OptionScore(s, _best(yes).n_tokens, _exp(both), math.exp(s), (log_yes - log_no) / 2)
    return scores


def legacy(variant: str) -> Scorer:
    """Return the scorer of one variant of the published script, defects included; for replication only.

    `legacy-v1`: log-softmax over the vocabulary at a token-level temperature. `legacy-v2`: log-softmax over options,
    position by position, of raw logits. `legacy-v3`: raw logits. Each is summed over the option's tokens, and all three
    condition on an end-of-text token and the question without the beginning of text. There is one set of rows per
    letter case, named by `order`.
    """

    def score(question: Question) -> dict[str, OptionScore]:
        forms = {option: rows[0] for option, rows in question.options(variant).items()}
        return {option: OptionScore(row.total, row.n_tokens, None) for option, row in forms.items()}

    return score


_WHOLE = "a wording with `ask: whole`"
_ORDERS = "a wording with `listing: letters` or `listing: numbers` of an item with several `orders`"

METHODS: dict[str, Method] = {
    "sequence": Method((PROMPT,), sequence, _WHOLE),
    "sequence+end": Method((PROMPT,), sequence_end, _WHOLE, ends=True),
    "trie": Method((PROMPT,), trie, _WHOLE, ends=True),
    "first": Method((PROMPT,), first, _WHOLE),
    "label": Method((LABEL,), label, "a wording with `listing: letters` or `listing: numbers`"),
    "token-mean": Method((PROMPT,), token_mean, _WHOLE),
    "byte": Method((PROMPT,), byte, _WHOLE),
    "pmi-dc": Method((PROMPT, PREMISE), pmi_dc, "a wording with a `premise`"),
    "contextual": Method((PROMPT, CONTENT_FREE), contextual, "a wording with `content_free` prompts"),
    "base": Method((PROMPT,), base_contrast, _WHOLE),
    "inclusion": Method((INCLUSION,), inclusion, "a wording with `ask: each`", alone=True),
    "permutation": Method((LABEL,), label, _ORDERS, orders="mean"),
    "pride": Method((LABEL,), label, _ORDERS, orders="debias"),
    "legacy-v1": Method(("legacy-v1",), legacy("legacy-v1"), _WHOLE),
    "legacy-v2": Method(("legacy-v2",), legacy("legacy-v2"), _WHOLE),
    "legacy-v3": Method(("legacy-v3",), legacy("legacy-v3"), _WHOLE),
}
"""Every method by its name in the study file and in ANSWERS."""

UNSEPARATED: frozenset[str] = frozenset(METHODS) - {"sequence+end", "trie", "inclusion"}
"""Methods that cannot tell options apart of which one's tokens begin the other's."""
