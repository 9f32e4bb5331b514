"""Proof that the adapters of a run act, and that each is the one of its week.

Takes finished answers, adapters and token blocks, gives ``proof/losses.parquet``. Knows no survey.

An adapter acts if its log-probabilities differ from the base's by more than rounding. It is the right one if posts of
its own week cost it less than they cost the adapters of the weeks beside it; the posts are held out of training where
`tokens.held_out` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.ground.progress import Listener, Tick, silent
from temporal_adapters.study.artifacts import Expected, Manifest, RunFolder, make, read_manifest

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.engines.model import Adapter, Base
    from temporal_adapters.stages.tokens import Blocks
    from temporal_adapters.stages.train import Item
    from temporal_adapters.study.config import Study

STAGE, VERSION = "proof", 1
FILE = "losses.parquet"
NOISE = 1e-5
"""Largest difference of a natural log-probability that rounding explains between an adapter that does nothing and the
base: both run the same products."""

_BLOCK_TOKENS = 256  # tokens of a chunk that stand for a post


def require_acting(answers: pl.DataFrame) -> None:
    """Raise if an adapter answers like the base, or with values that are no numbers.

    Parameters
    ----------
    answers
        ANSWERS.

    Raises
    ------
    ProbeError
        With the adapter's name.
    """
    import polars as pl

    asked = answers.filter(pl.col("adapter") != "base").drop_nulls(["logprob", "base_logprob"])
    gap = (pl.col("logprob") - pl.col("base_logprob")).abs().max().alias("gap")
    finite = pl.col("logprob").is_finite().all().alias("finite")
    for name, moved, sound in asked.group_by("adapter", maintain_order=True).agg(gap, finite).iter_rows():
        if not sound:
            raise ProbeError(
                f"the adapter {name} gives log-probabilities that are no finite numbers: remove its folder, lower"
                " train.learning_rate and train it again"
            )
        if moved <= NOISE:
            raise ProbeError(
                f"the adapter {name} answers like the base (no log-probability differs by more than {moved:.1g}): it"
                " has learned nothing, or nothing is on the modules it targets; raise train.learning_rate or"
                " train.steps, remove its folder and train it again"
            )


def expected(study: Study, run: RunFolder) -> Expected | None:
    """Return the folder of the losses; None while there are no answers, or where no posts are wanted for it."""
    answers = read_manifest(run.answers)
    if answers is None or not study.probe.proof_posts:
        return None
    config = {"posts": study.probe.proof_posts, "attention": study.tokens.attention}
    return Expected(run.proof, STAGE, VERSION, config, {"answers": answers.key})


def prove(study: Study, run: RunFolder, *, listener: Listener = silent) -> Manifest | None:
    """Measure every week's first adapter, its neighbours and the base on posts of the week, unless that is done.

    Returns
    -------
    Manifest or None
        Facts: `n_weeks`, `n_right` (the week's own adapter has the lowest loss of the three), `n_posts`, `held_out`.
    """
    wanted = expected(study, run)
    if wanted is None:
        return None
    return make(wanted, lambda folder: _write(study, run, folder, listener))


def _write(study: Study, run: RunFolder, folder: Path, listener: Listener) -> dict[str, Any]:
    import polars as pl

    from temporal_adapters.engines.model import load_base
    from temporal_adapters.stages.train import items

    first = study.train.seeds[:1]
    own = [item for item in items(study, run, seeds=first) if item.is_done]
    base, rows = load_base(study.model), []
    for number, item in enumerate(own):
        beside = own[max(0, number - 1) : number + 2]
        rows += _losses(study, run, base, item, beside)
        listener(Tick(STAGE, number + 1, len(own), "weeks", item.corpus.label))
    schema = {"week": pl.String, "adapter": pl.String, "offset": pl.Int64, "loss": pl.Float64, "n_posts": pl.Int64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    table.write_parquet(folder / FILE)
    return {"n_weeks": len(own), "n_right": n_right(table), "held_out": bool(study.tokens.held_out)}


def n_right(table: pl.DataFrame) -> int:
    """Return in how many weeks the week's own adapter has a lower loss than those of the weeks beside it."""
    import polars as pl

    adapters = table.drop_nulls("offset").sort("loss")
    return adapters.group_by("week").first().filter(pl.col("offset") == 0).height


def _losses(study: Study, run: RunFolder, base: Base, item: Item, beside: Sequence[Item]) -> list[tuple[Any, ...]]:
    """Return rows (week, adapter, offset, loss, n_posts); the base's offset is null."""
    from temporal_adapters.engines.model import Adapter, read_adapter
    from temporal_adapters.stages.tokens import HELD_OUT, read_blocks

    folder = run.tokens(item.corpus.label)
    blocks = read_blocks(folder / HELD_OUT if study.tokens.held_out else folder)
    posts = sample(blocks, study.tokens.attention, study.probe.proof_posts)
    adapters = [read_adapter(one.folder, str(base.device)) for one in beside]
    losses = mean_losses(base, [*adapters, Adapter({}, {})], posts)
    weeks = [(one.corpus.start - item.corpus.start).days // 7 for one in beside]
    names, offsets = [one.name for one in beside], [*weeks, None]
    label = item.corpus.label
    return [(label, *row, len(posts)) for row in zip([*names, "base"], offsets, losses, strict=True)]


def sample(blocks: Blocks, attention: str, n_posts: int) -> list[list[int]]:
    """Return token ids of `n_posts` documents, evenly spread over the blocks; under ``chunk`` beginnings of blocks."""
    from temporal_adapters.stages.tokens import IGNORED

    if attention == "chunk":
        found = [row[:_BLOCK_TOKENS].tolist() for row in blocks.input_ids]
    else:
        ends = np.flatnonzero(np.diff(blocks.documents, axis=1, append=-1).ravel()) + 1
        ids, labels = np.asarray(blocks.input_ids).ravel(), np.asarray(blocks.labels).ravel()
        pieces = zip([0, *ends[:-1]], ends, strict=True)
        found = [ids[at:end].tolist() for at, end in pieces if end - at > 1 and labels[end - 1] != IGNORED]
    places = np.linspace(0, len(found) - 1, min(n_posts, len(found))).round().astype(int)
    return [found[place] for place in places]


def mean_losses(base: Base, adapters: Sequence[Adapter], posts: Sequence[Sequence[int]]) -> list[float]:
    """Return each adapter's mean loss (natural log per token) over `posts`, one row each, as a plain forward pass."""
    import torch

    from temporal_adapters.engines.model import Kernels, stacked
    from temporal_adapters.stages.tokens import pack
    from temporal_adapters.stages.train import Forward

    blocks = pack(posts, max(map(len, posts)), alone=True)
    totals = [0.0] * len(adapters)
    with torch.inference_mode(), stacked(base.model, adapters, exact=True) as stack:
        forward = Forward(base, stack, "padded", Kernels())
        for row in range(len(blocks)):
            losses = forward.losses([(blocks, [row])] * len(adapters)).tolist()
            totals = [total + loss for total, loss in zip(totals, losses, strict=True)]
    n_tokens = sum(len(post) - 1 for post in posts)
    return [total / n_tokens for total in totals]
