"""The words of a simulated world: moods with their synonyms, and the templates that posts are made of.

Takes a random source, gives English sentences (and a few in another language). Knows no weeks, users or truth.

A sentence is put together from an opening, a clause, a subject and a closing part, so that two authors rarely write
the same one by chance: what the weeks stage drops as a duplicate then is a copy that the world made on purpose.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from random import Random

STEEPNESS = 0.5
"""How fast the words of a mood become rarer from the first to the last."""

MOODS: dict[str, tuple[str, ...]] = {
    "Happy": ("happy", "cheerful", "joyful", "delighted", "glad", "merry", "jolly", "over the moon"),
    "Sad": ("sad", "unhappy", "miserable", "gloomy", "tearful", "heartbroken", "downcast", "sorrowful"),
    "Energetic": ("energetic", "lively", "full of energy", "pumped", "energised", "buzzing", "bouncy", "full of beans"),
    "Apathetic": ("apathetic", "indifferent", "numb", "detached", "listless", "unbothered", "past caring", "unmoved"),
    "Inspired": (
        "inspired",
        "creative",
        "motivated",
        "full of ideas",
        "fired up",
        "awestruck",
        "driven",
        "imaginative",
    ),
    "Frustrated": ("frustrated", "annoyed", "irritated", "fed up", "exasperated", "aggravated", "wound up", "livid"),
    "Optimistic": (
        "optimistic",
        "hopeful",
        "positive",
        "upbeat",
        "confident",
        "encouraged",
        "full of hope",
        "sanguine",
    ),
    "Stressed": (
        "stressed",
        "overwhelmed",
        "under pressure",
        "frazzled",
        "overworked",
        "tense",
        "swamped",
        "burnt out",
    ),
    "Content": ("content", "satisfied", "at peace", "relaxed", "calm", "settled", "serene", "at ease"),
    "Bored": (
        "bored",
        "jaded",
        "uninterested",
        "fidgety",
        "stuck in a rut",
        "unamused",
        "unchallenged",
        "underwhelmed",
    ),
    "Lonely": ("lonely", "isolated", "left out", "friendless", "cut off", "lonesome", "abandoned", "alone"),
    "Scared": ("scared", "afraid", "frightened", "terrified", "anxious", "fearful", "worried", "nervous"),
}
"""Option of the mood question -> the words its mood is told in, most frequent first. No word serves two moods."""

VALENCE: dict[str, int] = {
    "Happy": 1, "Sad": -1, "Energetic": 1, "Apathetic": -1, "Inspired": 1, "Frustrated": -1,
    "Optimistic": 1, "Stressed": -1, "Content": 1, "Bored": -1, "Lonely": -1, "Scared": -1,
}  # fmt: skip
"""Option -> +1 for pleasant, -1 for unpleasant: the common factor of the moods loads with this sign."""

OPPOSITE: dict[str, str] = {
    "Happy": "Sad", "Sad": "Happy", "Energetic": "Apathetic", "Apathetic": "Energetic", "Inspired": "Bored",
    "Frustrated": "Content", "Optimistic": "Scared", "Stressed": "Content", "Content": "Stressed",
    "Bored": "Inspired", "Lonely": "Happy", "Scared": "Optimistic",
}  # fmt: skip
"""Option -> the option whose words its people negate ("not happy at all" is said by the sad)."""

SUBJECTS: tuple[str, ...] = (
    "work", "the weather", "my exam", "the match", "the train", "my new job", "the news", "this town", "my garden",
    "the kids", "the neighbours", "my boss", "our holiday", "the football", "the budget", "the election", "my flat",
    "the commute", "the gym", "the meeting", "my mum", "the dog", "the traffic", "the weekend", "the wedding",
    "my birthday", "the concert", "the film", "my course", "the council", "the bus", "the bills", "the move",
    "the project", "the deadline", "the rain", "the school run", "the car", "the party", "the strike",
)  # fmt: skip
PLACES: tuple[str, ...] = (
    "Leeds", "London", "Cardiff", "Bristol", "Glasgow", "York", "Hull", "Bath", "Derby", "Exeter", "Oxford", "Luton",
)  # fmt: skip
TIMES: tuple[str, ...] = (
    "today", "this morning", "tonight", "this week", "all week", "all day", "since monday", "right now", "lately",
    "again",
)  # fmt: skip
OPENINGS: tuple[str, ...] = (
    *("",) * 24, "honestly", "well", "ok so", "morning all", "to be fair", "look", "right", "oh", "hey", "another day",
    "guess what", "tbh", "back in {place}",
)  # fmt: skip
CLOSINGS: tuple[str, ...] = (
    *("",) * 16, *(".",) * 6, "!", "!!", "...", " lol", " x", " as ever", " anyway", ", who knew", " here in {place}",
)  # fmt: skip
MOOD_CLAUSES: tuple[str, ...] = (
    "i feel {mood} about {subject} {time}",
    "i felt {mood} {time} after {subject}",
    "feeling {mood} about {subject} {time}",
    "feeling so {mood} {time}, {subject}",
    "i am {mood} {time} because of {subject}",
    "i'm {mood} about {subject} {time}",
    "so {mood} about {subject} {time}",
    "woke up {mood}, {subject} {time}",
    "{subject} makes me {mood} {time}",
    "{subject} left me {mood} {time}",
    "been {mood} about {subject} {time}",
    "i have been {mood} {time} with {subject}",
    "we are all {mood} about {subject} {time}",
    "still {mood} after {subject} {time}",
    "just {mood} {time}, it's {subject}",
    "really {mood} about {subject} {time}",
    "can't help feeling {mood} about {subject}",
    "anyone else {mood} about {subject} {time}?",
    "{subject} got me feeling {mood} {time}",
    "my mood {time}: {mood}, thanks to {subject}",
    "i was {mood} {time} over {subject}",
    "quite {mood} {time}, what with {subject}",
    "never been so {mood} about {subject}",
    "very {mood} {time}: {subject}",
)
NEGATED_CLAUSES: tuple[str, ...] = (
    "not {mood} about {subject} {time}",
    "i am not {mood} at all {time}, see {subject}",
    "nobody is {mood} about {subject} {time}",
    "i wish i could say i felt {mood} about {subject}",
    "far from {mood} {time}, it's {subject}",
)
IRONIC_CLAUSES: tuple[str, ...] = (
    "oh yes so {mood} about {subject}, as if",
    "{subject} again, i'm just SO {mood}, sure",
    "yeah right, i'm {mood} about {subject}, said no one",
    "{mood} about {subject}? good one",
)
PLAIN_CLAUSES: tuple[str, ...] = (
    "{subject} starts at {number} {time}",
    "does anyone know when {subject} is on {time}?",
    "talking about {subject} {time}",
    "reading a long piece on {subject} {time}",
    "{number} people asked me about {subject} {time}",
    "{subject} then lunch in {place}",
    "photos of {subject} are up, {number} of them",
    "who is coming to {place} for {subject}?",
    "thread on {subject} with {number} points",
    "{place} {number}, {place} {number2} at half time",
    "queue of {number} people in {place} {time}",
    "new post: {number} things about {subject}",
    "selling {number} tickets for {subject} in {place}",
    "has {subject} changed since {number} years ago?",
    "heard about {subject} in {place} {time}",
    "{subject} moved to number {number} in {place}",
)
SPAM_CLAUSES: tuple[str, ...] = (
    "WIN a voucher worth {number} pounds, follow and share {place} deals",
    "{number} percent off in {place} {time}, click now",
    "daily offer no {number}: all about {subject}, order now",
)
OTHER_LANGUAGE_CLAUSES: tuple[str, ...] = (
    "heute {number} Minuten auf den Bus in {place} gewartet",
    "ich bin {time_de} sehr {mood_de} wegen der Arbeit",
    "wer kommt {time_de} mit nach {place}?",
    "schon {number} Leute haben nach dem Spiel gefragt",
    "das Wetter in {place} ist {time_de} gut, {number} Grad",
)
TIMES_DE: tuple[str, ...] = ("heute", "morgen", "gerade", "seit Montag", "diese Woche")
MOODS_DE: tuple[str, ...] = ("froh", "traurig", "müde", "zufrieden", "nervös", "einsam")
HASHTAGS: tuple[str, ...] = ("#mondaythoughts", "#ukweather", "#smalltalk", "#diary", "#nowplaying", "#commuting")


def pick(rng: Random, items: tuple[str, ...]) -> str:
    """Return one of `items`, all equally likely; one uniform draw, so a stream stays aligned across Python versions."""
    return items[int(rng.random() * len(items))]


def mood_word(rng: Random, mood: str, steepness: float = STEEPNESS) -> str:
    """Return a word of `mood`: the j-th (from 0) with weight ``(j + 1) ** -steepness``."""
    words = MOODS[mood]
    weights = [(rank + 1) ** -steepness for rank in range(len(words))]
    at = rng.random() * sum(weights)
    for word, weight in zip(words, weights, strict=True):
        at -= weight
        if at < 0:
            return word
    return words[-1]


def pick_subject(rng: Random, topics: Sequence[float] | None = None) -> str:
    """Return a subject; `topics` holds cumulative probabilities of `SUBJECTS`, without it all are equally likely."""
    if topics is None:
        return pick(rng, SUBJECTS)
    return SUBJECTS[min(bisect(topics, rng.random()), len(SUBJECTS) - 1)]


def fill(rng: Random, template: str, mood: str = "", topics: Sequence[float] | None = None) -> str:
    """Return `template` with its subjects, places, times and numbers drawn, and `mood` as the mood word."""
    return template.format(
        mood=mood,
        subject=pick_subject(rng, topics),
        place=pick(rng, PLACES),
        time=pick(rng, TIMES),
        number=int(rng.random() * 90) + 2,
        number2=int(rng.random() * 9),
        time_de=pick(rng, TIMES_DE),
        mood_de=pick(rng, MOODS_DE),
    )


def sentence(rng: Random, clauses: tuple[str, ...], word: str = "", topics: Sequence[float] | None = None) -> str:
    """Return one post's words: opening, a clause of `clauses` about the mood word `word`, closing."""
    opening = fill(rng, pick(rng, OPENINGS), topics=topics)
    text = f"{opening} {fill(rng, pick(rng, clauses), word, topics)}".strip()
    text += fill(rng, pick(rng, CLOSINGS), topics=topics)
    return text[0].upper() + text[1:] if rng.random() < 0.6 else text


def mood_post(
    rng: Random,
    mood: str,
    negated: bool = False,
    ironic: bool = False,
    *,
    steepness: float = STEEPNESS,
    topics: Sequence[float] | None = None,
) -> str:
    """Return a post by somebody in `mood`.

    Negated and ironic posts use a word of the opposite mood: who counts words counts them for the wrong mood.
    """
    if negated or ironic:
        clauses, mood = NEGATED_CLAUSES if negated else IRONIC_CLAUSES, OPPOSITE[mood]
    else:
        clauses = MOOD_CLAUSES
    return sentence(rng, clauses, mood_word(rng, mood, steepness), topics)
