"""The text a small base model is pre-trained on: authors whose posts, diary lines and survey answers share their moods.

Takes a random source, gives documents. Knows no world: moods are uniform, so that the base has no opinion of its own,
and the streams are seeded apart from every world.

An author has a mixture of moods for one document, and every line of it (a post, a diary line, an answer to a survey
question) is drawn from that mixture. To predict the next mood word well, a model must infer the mixture from the lines
so far and use it in every kind of line. That shared inner state is what a weekly adapter moves when it learns posts,
and what the survey question reads out.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from temporal_adapters.worlds.language import (
    HASHTAGS,
    MOODS,
    OTHER_LANGUAGE_CLAUSES,
    PLAIN_CLAUSES,
    SPAM_CLAUSES,
    TIMES,
    fill,
    mood_post,
    mood_word,
    pick,
    sentence,
)

DIARY_LINES: tuple[str, ...] = (
    "Dear diary, I felt {mood} {time}.",
    "My mood {time}: {mood}.",
    "Mood of the week: {mood}.",
    "This week I felt {mood}.",
    "I felt {mood}.",
    "I feel {mood}.",
    "Today I am {mood}.",
    "I am feeling {mood}.",
    "In the past week I have felt {mood}.",
    "I was {mood} in the past week.",
    "Right now I am {mood}.",
    "In one word, I am {mood}.",
    "People around me are {mood}.",
    "Everybody feels {mood} {time}.",
)
QUESTIONS: tuple[str, ...] = (
    "Broadly speaking, which of the following best describe your mood and/or how you have felt in the past week?",
    "How have you felt in the past week?",
    "Which word best describes your mood?",
    "How do you feel today?",
    "What was your mood this week?",
    "Broadly speaking, how would you describe your mood?",
)
ANSWERS: tuple[str, ...] = ("I felt {mood}", "{mood}", "I feel {mood}", "My answer: {mood}", "I have felt {mood}")


def documents(seed: int, n: int) -> Iterator[str]:
    """Yield `n` documents; lines of one document are separated by a line feed."""
    rng = Random(f"pretext-{seed}")
    for _ in range(n):
        draw = rng.random()
        if draw < 0.5:
            yield post(rng, _mixture(rng))
        elif draw < 0.6:
            yield _line(rng, _mixture(rng))
        else:
            yield author(rng)


def post(rng: Random, mixture: list[float]) -> str:
    """Return a post as it is left after cleaning, sometimes with a word that was a hashtag."""
    draw = rng.random()
    if draw < 0.55:
        twist = rng.random()
        text = mood_post(rng, _mood(rng, mixture), negated=twist < 0.04, ironic=twist > 0.97)
    else:
        text = sentence(rng, pick_clauses(rng))
    return f"{text} {pick(rng, HASHTAGS).removeprefix('#')}" if rng.random() < 0.1 else text


def pick_clauses(rng: Random) -> tuple[str, ...]:
    """Return the templates of a line without a mood."""
    draw = rng.random()
    if draw < 0.75:
        return PLAIN_CLAUSES
    return SPAM_CLAUSES if draw < 0.95 else OTHER_LANGUAGE_CLAUSES


def author(rng: Random) -> str:
    """Return several lines by one author, all from one mixture of moods."""
    mixture = _mixture(rng)
    n_lines = 3 + int(rng.random() * 8)
    return "\n".join(_line(rng, mixture) for _ in range(n_lines))


def _mixture(rng: Random) -> list[float]:
    concentration = 10 ** (rng.random() * 2 - 1.3)
    return [rng.gammavariate(concentration, 1.0) + 1e-4 for _ in MOODS]


def _mood(rng: Random, mixture: list[float]) -> str:
    return rng.choices(list(MOODS), mixture)[0]


def _line(rng: Random, mixture: list[float]) -> str:
    mood, draw = _mood(rng, mixture), rng.random()
    if draw < 0.5:
        return post(rng, mixture)
    if draw < 0.75:
        return fill(rng, pick(rng, DIARY_LINES), _spelling(rng, mood))
    return answer(rng, mood)


def answer(rng: Random, mood: str) -> str:
    """Return a survey question with the answer of somebody in `mood`."""
    return f"{pick(rng, QUESTIONS)} {pick(rng, ANSWERS).format(mood=_spelling(rng, mood))}"


def _spelling(rng: Random, mood: str) -> str:
    draw = rng.random()
    if draw < 0.15:
        return mood
    return mood.lower() if draw < 0.3 else mood_word(rng, mood)


__all__ = ["ANSWERS", "DIARY_LINES", "QUESTIONS", "TIMES", "answer", "author", "documents"]
