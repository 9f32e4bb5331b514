"""A small base model from a study's own posts, for machines without a model hub.

Takes weekly corpora on disk, gives a model folder that transformers loads. Knows neither adapters nor questions.

Such a model knows the platform's language and nothing else: it makes the line run anywhere and shows what the posts
alone carry, but its answers are no substitute for those of a large pre-trained model.
"""

from __future__ import annotations

from pathlib import Path

from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.study.artifacts import Expected, RunFolder, WeekCorpus, load_table, make, read_corpora
from temporal_adapters.study.config import Study, scientific

STAGE, VERSION = "pretrain", 1


def expected(study: Study, run: RunFolder) -> list[Expected]:
    """Return the one base model that the study's settings and weeks would give.

    Raises
    ------
    SimulateError
        If the study has no `pretrain` section.
    ArtifactError
        If its weeks have not been built.
    """
    if study.pretrain is None:
        raise SimulateError("the study has no section `pretrain`: add one, such as `pretrain: {first_weeks: 12}`")
    inputs = {corpus.path.name: corpus.sha256 for corpus in _first_weeks(study, run)}
    return [Expected(run.base, STAGE, VERSION, {STAGE: scientific(study.pretrain)}, inputs)]


def build(study: Study, run: RunFolder, *, listener: Listener = silent) -> bool:
    """Pre-train a base model on the study's first weeks into ``runs/<study>/base``; return False if it was there.

    Every post is one document; posts of the weeks used here are known to the base before any adapter sees them.

    Raises
    ------
    SimulateError, ArtifactError
        As `expected`.
    """
    (wanted,) = expected(study, run)
    if wanted.state == "done" or study.pretrain is None:
        return False
    import polars as pl

    from temporal_adapters.worlds.pretrain import Size, pretrain, save

    settings = study.pretrain
    frames = [load_table(corpus.path, columns=["text"]) for corpus in _first_weeks(study, run)]
    documents = pl.concat(frames)["text"].unique(maintain_order=True).to_list()
    size = Size(
        vocab_size=settings.vocab_size,
        d_model=settings.d_model,
        n_layers=settings.n_layers,
        n_heads=settings.n_heads,
        d_mlp=settings.d_model * 11 // 4,
        epochs=settings.epochs,
        lr=settings.learning_rate,
        seed=settings.seed,
    )

    def write(folder: Path) -> dict[str, int]:
        model, tokenizer = pretrain(documents, size, listener)
        save(model, tokenizer, folder)
        return {"n_posts": len(documents), "n_parameters": model.num_parameters()}

    make(wanted, write)
    return True


def _first_weeks(study: Study, run: RunFolder) -> list[WeekCorpus]:
    return read_corpora(run)[: study.pretrain.first_weeks if study.pretrain else 0]
