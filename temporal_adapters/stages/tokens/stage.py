"""The stage `tokens`: one folder of blocks per week.

Takes ``weeks/``, gives ``tokens/<label>/``. Knows no base model and no adapter.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import TokensError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.stages.tokens.blocks import Blocks, chunk, pack
from temporal_adapters.stages.tokens.encode import encode
from temporal_adapters.stages.tokens.store import write_blocks
from temporal_adapters.study.artifacts import Expected, RunFolder, WeekCorpus, load_table, make

if TYPE_CHECKING:
    from temporal_adapters.study.config import Study

VERSION = 1
HELD_OUT = "held_out"


def tokens_expected(study: Study, run: RunFolder, corpus: WeekCorpus, base_digest: str) -> Expected:
    """Return the folder that holds a week's blocks, with its settings and inputs.

    `base_digest` is the digest of the whole base (`digest_base`): its tokenizer lies among the files of the base, so
    that other weights with the same tokenizer pack again. The input is recorded as ``tokenizer``.
    """
    from temporal_adapters.study.config import scientific

    inputs = {"corpus": corpus.sha256, "tokenizer": base_digest}
    return Expected(run.tokens(corpus.label), "tokens", VERSION, {"tokens": scientific(study.tokens)}, inputs)


def build(
    study: Study,
    run: RunFolder,
    corpora: Sequence[WeekCorpus],
    tokenizer: Any,
    base_digest: str,
    *,
    listener: Listener = silent,
) -> None:
    """Pack the posts of `corpora`; weeks that are done are left alone.

    Parameters
    ----------
    study, run
        The study and its folder.
    corpora
        Weeks to pack.
    tokenizer, base_digest
        Tokenizer of the base, and the digest of the base.
    listener
        Hears of every week.

    Raises
    ------
    TokensError
        If a week's posts do not fill a single block.
    """
    for number, corpus in enumerate(corpora):
        expected = tokens_expected(study, run, corpus, base_digest)
        make(expected, functools.partial(_write_week, study, corpus, tokenizer))
        listener(Tick("tokens", number + 1, len(corpora), "weeks", corpus.label))


def _write_week(study: Study, corpus: WeekCorpus, tokenizer: Any, folder: Path) -> dict[str, int]:
    settings, facts = study.tokens, {}
    documents, users, kept = read_posts(study, corpus, tokenizer)
    for held_out in (False, True) if settings.held_out else (False,):
        chosen = [n for n, keep in enumerate(kept) if keep != held_out and len(documents[n]) > 1]
        blocks = pack_posts(study, [documents[n] for n in chosen], [users[n] for n in chosen], tokenizer)
        if not len(blocks):
            part = "held-out " if held_out else ""
            raise TokensError(
                f"week {corpus.label}: its {len(chosen)} {part}posts do not fill one block of"
                f" {settings.block_length} tokens: lower tokens.block_length or drop the week (weeks.min_posts)"
            )
        write_blocks(folder / HELD_OUT if held_out else folder, blocks)
        name = "held_out_" if held_out else ""
        facts[f"{name}posts"] = len(chosen)
        facts[f"{name}tokens"] = sum(len(documents[n]) for n in chosen)
        facts[f"{name}blocks"] = len(blocks)
    facts["too_short"] = sum(len(ids) < 2 for ids in documents)
    return facts


def read_posts(study: Study, corpus: WeekCorpus, tokenizer: Any) -> tuple[list[list[int]], list[str], list[bool]]:
    """Return the token ids of each post of a week, its user, and whether it may be learned (is not held out)."""
    settings = study.tokens
    posts = load_table(corpus.path, columns=["post_id", "user_id", "text"])
    documents = encode(tokenizer, posts["text"].to_list(), settings.bos, settings.eos)
    kept = [not _is_held_out(post, settings.held_out) for post in posts["post_id"]]
    return documents, posts["user_id"].to_list(), kept


def pack_posts(study: Study, documents: list[list[int]], users: list[str], tokenizer: Any) -> Blocks:
    """Return posts as blocks, as the study says."""
    settings = study.tokens
    if settings.attention == "chunk":
        if settings.user_weight == "users":
            raise TokensError("tokens.user_weight: `users` needs attention: document (chunks mix users)")
        return chunk(documents, settings.block_length)
    weights = _user_weights(users) if settings.user_weight == "users" else None
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0
    alone = settings.attention == "padded"
    return pack(documents, settings.block_length, weights=weights, pad_id=pad, alone=alone)


def _user_weights(users: Sequence[str]) -> list[float]:
    """Return a factor per post so that every user counts alike and the mean factor is 1."""
    from collections import Counter

    counts = Counter(users)
    return [len(users) / len(counts) / counts[user] for user in users]


def _is_held_out(post_id: str, share: float) -> bool:
    """Return whether a post is held out: by a hash of its id, so that no setting or order moves it."""
    if not share:
        return False
    digest = hashlib.md5(f"held-out/{post_id}".encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < share
