"""Instruments without a language model, on the same cleaned posts: counting words, and a classifier.

Takes weekly corpora, gives series of shares. Knows no truth; who passes the world's own words makes the ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import polars as pl

from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.study.artifacts import load_table
from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds import MOODS, count_moods, posts_of

_INVERSE_PENALTY = 10.0
"""C of the logistic regression: weak, as sentences of a few words hold few features."""


def counted(corpora: Mapping[date, Path], words: Mapping[str, Sequence[str]] = MOODS) -> pl.DataFrame:
    """Return each option's share of the posts of a week that hold a word of any option.

    Parameters
    ----------
    corpora
        First day of a week -> Parquet file of its cleaned posts (column `text`).
    words
        Option -> words; the true mood words of the simulated worlds without it.

    Returns
    -------
    week, option, value (null in a week without any of the words), se (null)
    """
    shares = count_moods(corpora, words).select("week", "option", value=pl.col("share").fill_nan(None))
    return shares.with_columns(se=pl.lit(None, pl.Float64))


def classified(corpora: Mapping[date, Path], posts: pl.DataFrame) -> pl.DataFrame:
    """Return the mean probability that a classifier gives each label over the posts of a week.

    TF-IDF of words and pairs of words into a multinomial logistic regression. Posts that tell nothing get what the
    classifier thinks of them; they lower the movement of all weeks alike, which a calibration undoes.

    Parameters
    ----------
    corpora
        As `counted`.
    posts
        Labelled posts: text, label.

    Returns
    -------
    week, option, value (0-1), se (null)

    Raises
    ------
    ValidityError
        If the labelled posts have fewer than two labels.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    if posts["label"].n_unique() < 2:
        raise ValidityError(f"a classifier needs posts of at least 2 labels, there are {posts['label'].n_unique()}")
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w[\w']*\b"),
        LogisticRegression(C=_INVERSE_PENALTY, max_iter=1000),
    )
    model.fit(posts["text"].to_list(), posts["label"].to_list())
    options = [str(label) for label in model.classes_]
    frames = []
    for week, path in corpora.items():
        texts = load_table(path, columns=["text"])["text"].to_list()
        if texts:
            value = model.predict_proba(texts).mean(axis=0)
            frames.append(pl.DataFrame({"option": options, "value": value}).with_columns(week=pl.lit(week)))
    return pl.concat(frames).select("week", "option", "value", se=pl.lit(None, pl.Float64))


def labelled_of(world: Simulate, n_posts: int, seed: int) -> pl.DataFrame:
    """Return about `n_posts` labelled posts, as many of each mood, in the language of `world` but not from it.

    Mentions, hashtags and URLs are left out, as cleaning leaves them out of the weekly corpora.
    """
    plain = {"seed": seed, "mention_share": 0.0, "hashtag_share": 0.0, "url_share": 0.0}
    return posts_of(world.model_copy(update=plain), max(1, n_posts // len(MOODS)))
