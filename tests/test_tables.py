"""The one check for all tables: each rule has a frame that breaks it."""

from __future__ import annotations

import csv
from datetime import date

import polars as pl
import pytest

from temporal_adapters.ground.errors import TableError
from temporal_adapters.ground.tables import LAGS, SERIES, VOTES, check, write_csv


def series(**columns: object) -> pl.DataFrame:
    row = {
        "source": "adapters",
        "item": "mood",
        "option": "Happy",
        "week": date(2023, 4, 3),
        "value": 0.1,
        "se": 0.01,
        "n": 2,
    }
    return pl.DataFrame([{**row, **columns}], schema=dict(SERIES.columns))


def test_a_valid_frame_comes_back_unchanged() -> None:
    frame = series()
    assert check(frame, SERIES) is frame
    assert check(SERIES.empty(), SERIES).is_empty()


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (series().drop("n"), "lacks the column 'n'"),
        (series().with_columns(pl.col("n").cast(pl.Int32)), "SERIES.n is Int32"),
        (series().with_columns(x=1), "has no column 'x'"),
        (series(option=None), "holds 1 nulls"),
        (series(value=float("nan")), "holds NaN"),
        (pl.concat([series(), series()]), "share a key"),
    ],
)
def test_each_broken_rule_is_named(frame: pl.DataFrame, words: str) -> None:
    with pytest.raises(TableError, match="here: ") as caught:
        check(frame, SERIES, "here")
    assert words in str(caught.value)


def test_a_value_out_of_range_is_refused() -> None:
    row = {"item": "mood", "option": "Happy", "lag": 0, "r": 1.5, "n_pairs": 30, "method": "D"}
    frame = pl.DataFrame([row], schema_overrides=dict(LAGS.columns)).with_columns(
        [pl.lit(None, pl.Float64).alias(name) for name in ("ci_low", "ci_high", "p", "q")]
    )
    with pytest.raises(TableError, match=r"LAGS\.r is 1\.5"):
        check(frame, LAGS)


def test_votes_carry_one_probability_column_per_label() -> None:
    frame = VOTES.empty().with_columns(pl.lit(None, pl.Float64).alias("p_SPD"))
    assert check(frame, VOTES).width == len(VOTES.columns) + 1


def cells_of(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


_FORMULAS = [
    '=HYPERLINK("http://x","y")',
    "+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "-cmd()",
    " =1",
    "\r=1",
    "-1+cmd()",
]


@pytest.mark.parametrize("text", _FORMULAS)
def test_a_formula_is_text_in_csv_and_itself_in_parquet(tmp_path, text):
    frame = pl.DataFrame({"option": [text, "Happy"], "value": [-1.5, 2.0]})
    write_csv(frame, tmp_path / "a.csv")
    frame.write_parquet(tmp_path / "a.parquet")
    cells = cells_of(tmp_path / "a.csv")
    assert cells[1][0] == "'" + text
    assert cells[2] == ["Happy", "2.0"]
    assert cells[1][1] == "-1.5"
    assert pl.read_parquet(tmp_path / "a.parquet")["option"][0] == text


@pytest.mark.parametrize("text", ["-1.5", "+3", "Happy", "a=b", "x@y", "-", "- other", ""])
def test_numbers_and_words_stay_as_they_are_in_csv(tmp_path, text):
    write_csv(pl.DataFrame({"option": [text, "x"]}), tmp_path / "a.csv")
    assert cells_of(tmp_path / "a.csv")[1][0] == text
