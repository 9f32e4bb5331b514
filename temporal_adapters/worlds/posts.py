"""The posts of a simulated world, as raw Twitter v1.1 objects.

Takes the section `simulate` and its `Population`, gives one dictionary per raw post in order of time. Knows no later
stage: what is cleaned, dropped or capped is for the weeks stage to find out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np

from temporal_adapters.study.config import Simulate
from temporal_adapters.worlds.language import (
    HASHTAGS,
    MOODS,
    OTHER_LANGUAGE_CLAUSES,
    PLAIN_CLAUSES,
    SPAM_CLAUSES,
    mood_post,
    pick,
    sentence,
)
from temporal_adapters.worlds.world import POST_STREAM, Array, Population, stream, subjects_by_week, week_starts

_FIRST_USER = 40_000
_NAMES = tuple(MOODS)


def raw_posts(world: Simulate, people: Population) -> Iterator[dict[str, Any]]:
    """Yield the raw posts of all weeks in order of time; gap weeks have none."""
    counts, rng = stream(world, POST_STREAM), Random(f"posts-{world.seed}")
    earlier: list[dict[str, Any]] = []
    subjects = subjects_by_week(world)
    for week in range(world.n_weeks):
        drawn = counts.poisson(people.activity * (people.last_week >= week))
        if week in world.gap_weeks:
            continue
        authors = np.repeat(np.arange(world.n_users), drawn).tolist()
        authors += [world.n_users + bot for bot in range(world.n_heavy) for _ in range(world.heavy_posts)]
        speech = Speech(people.mood_probabilities(week), None if subjects is None else subjects[week].tolist())
        yield from _week(world, rng, week, authors, speech, earlier)


@dataclass(frozen=True)
class Speech:
    """What is said in a week: moods by user ``(n_users, n_moods)``, cumulative probabilities of the subjects."""

    moods: Array
    topics: Sequence[float] | None


def _week(
    world: Simulate, rng: Random, week: int, authors: list[int], speech: Speech, earlier: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    monday = datetime.combine(week_starts(world)[week], datetime.min.time(), UTC)
    # Posts keep off the week's first and last hour: a world's weeks are the same in every European time zone.
    times = sorted((3600 + rng.random() * (7 * 86400 - 7200), author) for author in authors)
    for number, (seconds, author) in enumerate(times):
        when = monday + timedelta(seconds=int(seconds))
        post = _post(world, rng, author, speech, earlier)
        post_id = str((int(when.timestamp()) << 20) + number)
        yield (record := _record(post, post_id, author, when))
        if "repost_of" not in post and author < world.n_users:
            earlier.append(record)
            del earlier[:-500]


def _post(world: Simulate, rng: Random, author: int, speech: Speech, earlier: list[dict[str, Any]]) -> dict[str, Any]:
    if author >= world.n_users:
        return {"text": f"{sentence(rng, SPAM_CLAUSES)} {_url(rng)}", "lang": "en"}
    draw = rng.random()
    if draw < world.repost_share and earlier:
        source = earlier[int(rng.random() * len(earlier))]
        text = f"RT @{source['user']['screen_name']}: {source['text']}"
        return {"text": text if len(text) <= 140 else text[:139] + "…", "lang": source["lang"], "repost_of": source}
    draw -= world.repost_share
    if draw < world.duplicate_share and earlier:
        return {"text": earlier[-1 - int(rng.random() * min(len(earlier), 50))]["text"], "lang": "en"}
    draw -= world.duplicate_share
    if draw < world.other_language_share:
        return {"text": decorate(world, rng, sentence(rng, OTHER_LANGUAGE_CLAUSES)), "lang": "de"}
    reply = rng.random() < world.reply_share
    text = decorate(world, rng, _words(world, rng, speech.moods[author], speech.topics))
    return {
        "text": f"@{_screen_name(int(rng.random() * 5000))} {text}" if reply else text,
        "lang": "en",
        "reply": reply,
    }


def _words(world: Simulate, rng: Random, p: Array, topics: Sequence[float] | None) -> str:
    if rng.random() >= world.mood_share:
        return sentence(rng, PLAIN_CLAUSES, topics=topics)
    return telling_post(world, rng, rng.choices(_NAMES, p.tolist())[0], topics)


def telling_post(world: Simulate, rng: Random, mood: str, topics: Sequence[float] | None = None) -> str:
    """Return a post that tells `mood`, negated or ironic as often as `world` says."""
    twist = rng.random()
    negated = twist < world.negation_share
    ironic = not negated and twist < world.negation_share + world.irony_share
    return mood_post(rng, mood, negated, ironic, steepness=world.synonym_steepness, topics=topics)


def decorate(world: Simulate, rng: Random, text: str) -> str:
    """Return `text` with a mention, a hashtag and a URL, each as often as `world` says."""
    if rng.random() < world.mention_share:
        text = f"{text} @{_screen_name(int(rng.random() * 5000))}"
    if rng.random() < world.hashtag_share:
        text = f"{text} {pick(rng, HASHTAGS)}"
    if rng.random() < world.url_share:
        text = f"{text} {_url(rng)}"
    return text


def _url(rng: Random) -> str:
    return "https://t.co/" + hashlib.md5(str(rng.random()).encode(), usedforsecurity=False).hexdigest()[:10]


def user_id(user: int) -> str:
    """Return the id of a user by their number."""
    return str(_FIRST_USER + user)


def _screen_name(user: int) -> str:
    return f"user_{_FIRST_USER + user}"


def _record(post: dict[str, Any], post_id: str, author: int, when: datetime) -> dict[str, Any]:
    author_id = user_id(author)
    record = {
        "created_at": when.strftime("%a %b %d %H:%M:%S +0000 %Y"),
        "id": int(post_id),
        "id_str": post_id,
        "text": post["text"],
        "truncated": False,
        "in_reply_to_status_id_str": str(int(post_id) - (1 << 30)) if post.get("reply") else None,
        "lang": post["lang"],
        "user": {"id": int(author_id), "id_str": author_id, "screen_name": _screen_name(author), "lang": "en"},
    }
    if "repost_of" in post:
        record["retweeted_status"] = post["repost_of"]
    return record
