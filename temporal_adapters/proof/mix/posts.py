"""Labelled posts: a file of somebody's corpus, or posts that the simulator makes.

Takes the section `mix`, gives the cleaned posts of its two labels. Knows no mixture and no model.
"""

from __future__ import annotations

import codecs
import difflib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import MixError
from temporal_adapters.study.artifacts import digest_file, digest_json
from temporal_adapters.study.config import Mix, Simulate, Study, scientific

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

POOL = 10
"""Posts of each label that the simulator makes, in multiples of what one mix needs: seeds then share few of them."""

Posts = Sequence[tuple[str, str]]
"""Id and cleaned text of posts with one label."""


@dataclass(frozen=True)
class Labelled:
    """The posts of both labels.

    Attributes
    ----------
    low, high
        Posts with each label, in the order of the file.
    digest
        Digest of where they come from: the file's content, or the simulator's settings.
    origin
        The same in words.
    n_empty
        Posts of the two labels without a text once it was cleaned; they are left out.
    """

    low: Posts
    high: Posts
    digest: str
    origin: str
    n_empty: int


def digest(study: Study, settings: Mix) -> str:
    """Return what identifies the labelled posts of a study, without reading them."""
    if settings.posts is not None:
        if not settings.posts.is_file():
            raise MixError(f"{settings.posts}: there is no such file of labelled posts")
        return digest_file(settings.posts)
    from temporal_adapters.worlds import KNOBS
    from temporal_adapters.worlds.labelled import VERSION

    knobs = scientific(study.simulate or Simulate())
    return digest_json({"simulate": {name: knobs[name] for name in KNOBS}, "version": VERSION})


def read(study: Study, settings: Mix) -> Labelled:
    """Return the posts of the two labels, cleaned as the study cleans its panel.

    Raises
    ------
    MixError
        If the file cannot be read, lacks a column or a label, or has too few posts of one.
    """
    if settings.posts is not None:
        table, origin = _from_file(settings.posts, settings), str(settings.posts)
    else:
        table, origin = _simulated(study, settings), "simulated posts"
    _require_labels(table, settings, origin)
    found = {label: _clean(study, table.filter(table["label"] == label)) for label in (settings.low, settings.high)}
    n_empty = sum(n for _, n in found.values())
    posts = {label: kept for label, (kept, _) in found.items()}
    _require_enough(posts, settings, origin)
    return Labelled(posts[settings.low], posts[settings.high], digest(study, settings), origin, n_empty)


def _simulated(study: Study, settings: Mix) -> pl.DataFrame:
    import polars as pl

    from temporal_adapters.worlds import posts_of

    pool = dict.fromkeys((settings.low, settings.high), POOL * settings.n_posts)
    posts = posts_of(study.simulate or Simulate(), pool)
    return posts.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("post_id"))


def _from_file(path: Path, settings: Mix) -> pl.DataFrame:
    """Return post_id (number of the row, from 1), text and label of every row, all as text."""
    import polars as pl

    table = _read_parquet(path) if path.suffix.lower() == ".parquet" else _read_text(path, settings)
    for option, column in (("text", settings.text_column), ("label", settings.label_column)):
        if column not in table.columns:
            near = difflib.get_close_matches(column, table.columns, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f": name the {option}s' with --{option}-column"
            raise MixError(f"{path}: there is no column {column!r} (it has {', '.join(table.columns)}){hint}")
    try:
        return table.select(
            pl.int_range(1, pl.len() + 1).cast(pl.String).alias("post_id"),
            pl.col(settings.text_column).cast(pl.String).alias("text"),
            pl.col(settings.label_column).cast(pl.String).str.strip_chars().alias("label"),
        )
    except pl.exceptions.PolarsError as error:
        raise MixError(f"{path}: its texts and labels must be text or numbers ({_brief(error)})") from None


def _read_parquet(path: Path) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise MixError(f"{path}: is no readable Parquet file ({_brief(error)})") from None


def _read_text(path: Path, settings: Mix) -> pl.DataFrame:
    import polars as pl

    if path.suffix.lower() not in (".csv", ".tsv"):
        raise MixError(f"{path}: labelled posts are a .csv, .tsv or .parquet file")
    text = _decoded(path, settings.encoding)
    header = text.partition("\n")[0]
    if not header.strip():
        raise MixError(f"{path}: the file is empty")
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    try:
        # Text stays text: a post that reads "NA" or "null" is a post.
        return pl.read_csv(io.BytesIO(text.encode()), separator=separator, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise MixError(
            f"{path}: is no readable CSV file ({_brief(error)}): texts that hold {separator!r}, quotes or line breaks"
            " must stand in double quotes"
        ) from None


def _decoded(path: Path, encoding: str | None) -> str:
    raw = path.read_bytes()
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    name = encoding or ("utf-16" if wide else "utf-8-sig")
    try:
        return raw.decode(name)
    except LookupError:
        raise MixError(f"mix.encoding: there is no encoding {encoding!r} (for example utf-8, cp1252, utf-16)") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        advice = "name its encoding" if encoding is None else "name another encoding"
        shown = "UTF-8" if name == "utf-8-sig" else name
        raise MixError(
            f"{path}: line {line} is not {shown} (byte 0x{raw[error.start]:02x}): {advice} with --encoding, for"
            " example cp1252"
        ) from None


def _require_labels(table: pl.DataFrame, settings: Mix, origin: str) -> None:
    counts = {str(label): n for label, n in table["label"].drop_nulls().value_counts(sort=True).iter_rows()}
    for place, label in (("low", settings.low), ("high", settings.high)):
        if label not in counts:
            near = _nearest(label, list(counts))
            hint = f"; did you mean {near!r}?" if near else ""
            listed = ", ".join(f"{name} ({n})" for name, n in list(counts.items())[:12]) or "none"
            more = f" and {len(counts) - 12} more" if len(counts) > 12 else ""
            raise MixError(f"{origin}: no post has the label {label!r} (--{place}); there are {listed}{more}{hint}")


def _nearest(label: str, known: Sequence[str]) -> str | None:
    """Return the label most like `label`, whatever the letter case."""
    by_fold = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(label.casefold(), by_fold, 1)
    return by_fold[near[0]] if near else None


def _require_enough(posts: Mapping[str, Posts], settings: Mix, origin: str) -> None:
    needed = {settings.low: settings.n_posts - settings.n_high(settings.shares[0]),
              settings.high: settings.n_high(settings.shares[-1])}  # fmt: skip
    short = [label for label in needed if len(posts[label]) < needed[label]]
    if not short:
        return
    has = " and ".join(f"{len(posts[label])} posts of {label!r}" for label in short)
    wants = " and ".join(f"{needed[label]} of {label!r}" for label in short)
    fits = min(settings.n_posts * len(posts[label]) // needed[label] for label in short)
    change = f"set mix.n_posts to {fits} or less" if fits >= len(settings.shares) - 1 else "bring more posts"
    raise MixError(
        f"{origin}: has {has}; mixes of {settings.n_posts} posts need {wants}, as no post comes twice into a mix:"
        f" {change}"
    )


def _clean(study: Study, table: pl.DataFrame) -> tuple[Posts, int]:
    """Return the posts with the study's cleaning, and how many have no text then."""
    import pyarrow as pa

    from temporal_adapters.stages.panel import POSTS, connect
    from temporal_adapters.stages.weeks import SplitSettings, clean_chunk

    n = table.height
    known: dict[str, Any] = {
        "number": range(1, n + 1),
        "post_id": table["post_id"].to_list(),
        "user_id": table["post_id"].to_list(),
        "created_us": [0] * n,
        "text": table["text"].to_list(),
        "platform": ["labelled"] * n,
        **dict.fromkeys(("is_repost", "is_reply", "is_quote"), [False] * n),
    }
    columns = [pa.array(known.get(field.name, [None] * n), field.type) for field in POSTS]
    # Rules that choose posts (languages, dates, keywords) are about a panel; rules that change a text are kept.
    weeks = type(study.weeks)(
        clean=study.weeks.clean, redact=study.weeks.redact, min_characters=study.weeks.min_characters
    )
    with connect(1, "1GB") as connection:
        cleaned = clean_chunk(pa.table(columns, schema=POSTS), SplitSettings(study.panel, weeks, (), ""), connection)
    kept = [(row["post_id"], row["text"]) for row in cleaned.sort_by("row").to_pylist() if row["dropped"] is None]
    return kept, n - len(kept)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
