"""Labelled posts of the world's language: whether the label is the author's mood and the knobs say what they say."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import SimulateError
from temporal_adapters.study.config.simulate import Simulate
from temporal_adapters.worlds.labelled import KNOBS, posts_of
from temporal_adapters.worlds.language import MOODS, OPPOSITE

PLAIN = {"url_share": 0.0, "mention_share": 0.0, "hashtag_share": 0.0}


def tells(text: str, mood: str) -> bool:
    words = f" {text.lower()} ".replace(",", " ").replace(":", " ").replace("?", " ").replace(".", " ")
    return any(f" {word} " in words.replace("!", " ") for word in MOODS[mood])


def test_equal_arguments_give_equal_posts_and_more_posts_go_on_where_fewer_ended() -> None:
    few, many = (posts_of(Simulate(seed=2001), n) for n in (20, 50))
    assert few.equals(posts_of(Simulate(seed=2001), 20))
    for mood in MOODS:
        of_few, of_many = (table.filter(pl.col("label") == mood)["text"].to_list() for table in (few, many))
        assert (len(of_few), len(of_many)) == (20, 50)
        assert of_many[:20] == of_few
    assert not few.equals(posts_of(Simulate(seed=2002), 20))
    assert posts_of(Simulate(seed=2001), {"Sad": 20}).equals(few.filter(pl.col("label") == "Sad"))


def test_without_twists_every_post_tells_its_own_mood_and_no_opposite_one() -> None:
    posts = posts_of(Simulate(seed=2003, mood_share=1.0, negation_share=0.0, irony_share=0.0, **PLAIN), 40)
    for text, label in posts.iter_rows():
        assert tells(text, label), (text, label)
        assert not tells(text, OPPOSITE[label]), (text, label)
    assert not posts["text"].str.contains("[@#]|https").any()


def test_a_negated_or_ironic_post_uses_a_word_of_the_opposite_mood() -> None:
    for shares in ({"negation_share": 1.0, "irony_share": 0.0}, {"negation_share": 0.0, "irony_share": 1.0}):
        posts = posts_of(Simulate(seed=2004, mood_share=1.0, **PLAIN, **shares), {"Happy": 60, "Sad": 60})
        for text, label in posts.iter_rows():
            assert tells(text, OPPOSITE[label]), (text, label)
            assert not tells(text, label), (text, label)


def test_the_share_of_telling_and_of_decorated_posts_is_the_one_asked_for() -> None:
    posts = posts_of(Simulate(seed=2005, mood_share=0.4, negation_share=0.0, irony_share=0.0), {"Happy": 2000})
    telling = sum(tells(text, "Happy") for text in posts["text"])
    assert abs(telling / 2000 - 0.4) < 4 * (0.4 * 0.6 / 2000) ** 0.5
    assert 0.05 < posts["text"].str.contains("https").mean() < 0.2  # type: ignore[operator]


def test_the_posts_depend_on_no_knob_but_those_that_are_named() -> None:
    """`ta mix` knows by these whether its simulated posts have changed."""
    world = Simulate(seed=2008)
    plain = posts_of(world, 60)
    others = {"negation_share": 0.5, "irony_share": 0.4, "synonym_steepness": 9.0, "seed": 3}
    for name, field in Simulate.model_fields.items():
        old = getattr(world, name)
        if isinstance(old, float):
            new = others.get(name, 0.9 if old < 0.5 else 0.1)
        elif isinstance(old, int) and not isinstance(old, bool):
            new = others.get(name, old + 1 if name != "fieldwork_weekday" else 2)
        else:
            continue
        changed = posts_of(world.model_copy(update={name: new}), 60)
        assert changed.equals(plain) == (name not in KNOBS), (name, field)


def test_a_label_that_is_no_mood_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SimulateError, match=r"'happpy' is no mood.*did you mean Happy"):
        posts_of(Simulate(seed=2006), {"happpy": 5})


def test_the_command_writes_the_posts_as_csv_and_no_world(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    call = ["simulate", "--labelled", str(file), "--per-label", "7", "--runs", str(tmp_path), "--set"]
    done = CliRunner().invoke(app, [*call, "simulate.seed=2007"])
    assert done.exit_code == 0, done.output
    assert pl.read_csv(file).equals(posts_of(Simulate(seed=2007), 7))
    assert [path.name for path in tmp_path.iterdir()] == ["posts.csv"]
