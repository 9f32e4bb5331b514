"""One file of form scores per questionnaire and adapter.

Takes form scores and folders, gives Parquet files and back. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.engines.scoring import FormScore, columns
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.stages.probe.plan import Ask
from temporal_adapters.study.artifacts import Expected, read_manifest

if TYPE_CHECKING:
    from temporal_adapters.stages.probe.forward import Score

FILE = "forms.parquet"

PathKey = tuple[str, tuple[int, ...], tuple[int, ...]]
"""Context hash, answer ids and barred tokens: what a score depends on besides the model."""


def path_key(ask: Ask) -> PathKey:
    """Return what identifies the score of `ask` under one model."""
    return (ask.encoded.context_sha, ask.encoded.answer, ask.barred)


def form_score(ask: Ask, score: Score) -> FormScore:
    """Return the row of `ask`."""
    return FormScore(
        item=ask.item,
        wording=ask.wording,
        order=ask.order,
        context=ask.context,
        option=ask.option,
        form=ask.form,
        answer=ask.answer,
        token_ids=ask.encoded.answer,
        logprobs=score.logprobs,
        logits=score.logits,
        end=score.end,
        n_chars=len(ask.form),
        n_bytes=len(ask.form.encode()),
        context_sha=ask.encoded.context_sha,
        barred=ask.barred,
    )


def write(folder: Path, rows: Iterable[FormScore]) -> None:
    """Write one shard's file into `folder`."""
    import polars as pl

    records = [{**vars(row), "sum": row.total, "n_tokens": row.n_tokens} for row in rows]
    pl.DataFrame(records, schema=columns()).write_parquet(folder / FILE)


def read(folder: Path) -> list[FormScore]:
    """Read one shard.

    Raises
    ------
    ArtifactError
        If the file is damaged.
    """
    import polars as pl

    try:
        frame = pl.read_parquet(folder / FILE).drop("sum", "n_tokens")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{folder / FILE} cannot be read ({error}): remove the folder and probe again") from None
    tuples = ("token_ids", "logprobs", "logits", "barred")
    return [FormScore(**{**row, **{name: tuple(row[name]) for name in tuples}}) for row in frame.iter_rows(named=True)]


def reusable(shard: Expected, asks: Sequence[Ask]) -> dict[PathKey, Score]:
    """Return the scores of an earlier, intact shard of the same model that still answer one of `asks`.

    A score depends on token ids, barred tokens and weights only, so whatever else changed in the questionnaire, these
    stay valid. The barred tokens are those of the row: two questions may share a prompt and a form, and differ in them.
    """
    from temporal_adapters.stages.probe.forward import Score

    manifest = read_manifest(shard.folder)
    if manifest is None or manifest.version != shard.version or dict(manifest.inputs) != dict(shard.inputs):
        return {}
    if any(manifest.config.get(name) != shard.config[name] for name in ("ends", "model")):
        return {}
    wanted = {path_key(ask) for ask in asks}
    found = {}
    for row in read(shard.folder):
        key = (row.context_sha, row.token_ids, row.barred)
        if key in wanted:
            found[key] = Score(row.logprobs, row.logits, row.end)
    return found
