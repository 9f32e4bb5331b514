"""GLES-shaped survey files with a known truth: for trying things out and for tests, never for findings.

Takes a number of respondents and a seed, gives a `.sav`, `.dta`, `.csv` or `.parquet` file with the variables, codes
and missing codes of the GLES 2017 post-election cross-section (mapping ``gles2017-post``), and the probabilities
behind it. Knows no model.

Voters weigh closeness on left-right, immigration and inequality, and favour the party they identify with, by the same
amount whichever party it is: the truth has one shared own-party coefficient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temporal_adapters.ground.errors import VoteError

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

OWN_PARTY = 3.0
"""Log-odds bonus of the own party in the simulated truth."""

_PARTIES = ("CDU/CSU", "SPD", "Greens", "FDP", "Left", "AfD", "Small party", "Non-voter")
_CODES = (1, 4, 6, 5, 7, 322, 801, 0)
_APPEAL = np.array([0.75, 0.45, -0.15, -0.15, -0.25, -0.1, -0.9, -0.1])
_PLACES = np.array(
    [
        [7.3, 7.0, 3.2],
        [4.6, 5.6, 2.2],
        [3.9, 3.6, 2.4],
        [7.0, 6.8, 3.9],
        [2.4, 4.8, 1.4],
        [9.3, 10.4, 3.0],
        [5.5, 6.5, 2.6],
    ]
)
"""Places of the parties on left-right (1-11), immigration (1-11), inequality (1-5)."""
_SPREAD = np.array([1.9, 2.3, 1.3])
_IDENTIFIES = 0.68


@dataclass(frozen=True)
class Specimen:
    """A simulated survey.

    Attributes
    ----------
    columns
        The file's columns, numbers as GLES codes them.
    probabilities
        shape (n, 8): the truth's probability of each class, before the draw.
    labels
        The classes.
    """

    columns: pl.DataFrame
    probabilities: NDArray[np.float64]
    labels: tuple[str, ...] = _PARTIES


def simulate(n: int = 2000, seed: int = 1, clean: bool = False) -> Specimen:
    """Return a simulated survey of `n` respondents.

    Parameters
    ----------
    n
        Respondents, before ineligible and invalid ones are filtered.
    seed
        Seed of everything.
    clean
        Without missing answers, invalid votes and ineligible respondents.
    """
    import polars as pl

    if n < 1:
        raise VoteError(f"a specimen needs at least 1 respondent, not {n}")
    rng = np.random.default_rng(seed)
    person = _people(rng, n)
    party = _party_ids(rng, person)
    probabilities = _vote_probabilities(person, party)
    vote = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    columns = _codes(person, party, vote)
    if not clean:
        _spoil(rng, columns)
    weight = np.where(columns["ostwest2"] == 0, 0.55, 1.18) * rng.lognormal(0, 0.25, n)
    frame = pl.DataFrame({"lfdn": np.arange(1, n + 1).astype(float), **columns, "w_ipfges": weight / weight.mean()})
    return Specimen(frame, probabilities)


def _people(rng: np.random.Generator, n: int) -> dict[str, NDArray[np.float64]]:
    """Return the latent and the observed traits of `n` people."""
    age = rng.integers(18, 91, n).astype(float)
    east = (rng.random(n) < 0.33).astype(float)
    camp = rng.choice(7, n, p=[0.27, 0.21, 0.13, 0.1, 0.11, 0.12, 0.06])
    places = _PLACES[camp] + rng.normal(0, 1, (n, 3)) * [1.7, 2.2, 0.9]
    education = rng.normal(0, 1, n) - 0.012 * (age - 50) + np.isin(camp, (2, 3)) * 0.5 - (camp == 5) * 0.3
    return {
        "age": age,
        "east": east,
        "female": (rng.random(n) < 0.5 - 0.13 * (camp == 5)).astype(float),
        "left_right": np.clip(np.round(places[:, 0] - 0.4 * east), 1, 11),
        "immigration": np.clip(np.round(places[:, 1]), 1, 11),
        "inequality": np.clip(np.round(places[:, 2]), 1, 5),
        "education": education,
        "religious": np.clip(
            np.round(2.3 + 0.5 * (camp == 0) - 0.8 * east + 0.01 * (age - 50) + rng.normal(0, 0.9, n)), 1, 4
        ),
        "income": np.clip(np.round(8 + 1.3 * education - 0.8 * east + rng.normal(0, 1.8, n)), 1, 13),
    }


def _closeness(person: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return minus the squared distance to each party, shape (n, 7)."""
    own = np.stack([person["left_right"], person["immigration"], person["inequality"]], axis=1)
    return -0.5 * (((own[:, None, :] - _PLACES[None]) / _SPREAD) ** 2).sum(axis=2)


def _party_ids(rng: np.random.Generator, person: dict[str, NDArray[np.float64]]) -> NDArray[np.int64]:
    """Return the party of each person as an index, -1 for none."""
    utility = _APPEAL[:7] + _closeness(person) + rng.gumbel(0, 1, (len(person["age"]), 7))
    identifies = rng.random(len(person["age"])) < _IDENTIFIES + 0.003 * (person["age"] - 50)
    return np.where(identifies, utility.argmax(axis=1), -1)


def _vote_probabilities(person: dict[str, NDArray[np.float64]], party: NDArray[np.int64]) -> NDArray[np.float64]:
    n = len(party)
    utility = np.zeros((n, 8))
    utility[:, :7] = 0.8 * _closeness(person) + _APPEAL[:7]
    utility[:, 0] += 0.25 * (person["religious"] - 2.5)
    utility[:, 3] += 0.12 * (person["income"] - 8)
    utility[:, 4] += 0.7 * person["east"]
    utility[:, 5] += 0.4 * person["east"] - 0.4 * person["female"]
    utility[:, 7] = -1.4 - 0.55 * person["education"] - 0.015 * (person["age"] - 50) + 0.9 * (party < 0)
    chosen = np.flatnonzero(party >= 0)
    utility[chosen, party[chosen]] += OWN_PARTY
    odds = np.exp(utility - utility.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return shares


def _codes(
    person: dict[str, NDArray[np.float64]], party: NDArray[np.int64], vote: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Return the columns with GLES codes and no missing answer except where a question does not apply."""
    n = len(party)
    age, education = person["age"], person["education"]
    codes = np.array(_CODES, dtype=float)
    school = np.select(
        [age < 19, education < -1.9, education < -0.5, education < 0.3, education < 0.6], [9, 1, 2, 3, 4], 5
    )
    degree = (education > 0.9) & (age > 23)
    job = np.select(
        [age < 20, (age < 28) & (education > 0.2), age > 65, education < -1.3],
        [3, 4, 10, 7],
        1 + (np.arange(n) % 4 == 0),
    )
    return {
        "q1": 1 + person["female"],
        "q2c": 2017 - age,
        "q2d": np.ones(n),
        "q17": np.where(vote == 7, 2.0, 1.0),
        "q19ba": np.where(vote == 7, -97.0, codes[vote]),
        "q32": person["left_right"],
        "q66d": person["inequality"],
        "q79": person["immigration"],
        "q125a": np.where(party < 0, 808.0, codes[party]),
        "q126": np.where(party < 0, -97.0, np.clip(np.round(3 - 0.02 * (age - 50) + np.sin(np.arange(n)) * 1.5), 1, 5)),
        "q135": school.astype(float),
        **{f"q136{letter}": (degree & (np.arange(n) % 4 == k)).astype(float) for k, letter in enumerate("jklm")},
        "q137": job.astype(float),
        "q170": person["religious"],
        "q192": person["income"],
        "ostwest2": 1 - person["east"],
    }


def _spoil(rng: np.random.Generator, columns: dict[str, NDArray[np.float64]]) -> None:
    """Put in what real files have: refusals, don't-knows, invalid votes, people who may not vote."""
    n = len(columns["q1"])
    for name, share in (
        ("q192", 0.12),
        ("q32", 0.05),
        ("q79", 0.02),
        ("q66d", 0.02),
        ("q170", 0.02),
        ("q125a", 0.03),
        ("q135", 0.01),
    ):
        gone = rng.random(n) < share
        columns[name][gone] = rng.choice([-99.0, -98.0], int(gone.sum()))
        if name == "q125a":
            columns["q126"][gone] = -97.0
    union = rng.random(n)
    columns["q125a"][(columns["q125a"] == 1) & (union < 0.25)] = 3.0
    columns["q125a"][(columns["q125a"] == 1) & (union > 0.6)] = 2.0
    columns["q2d"][rng.random(n) < 0.02] = 2.0
    odd = rng.random(n)
    columns["q19ba"][(odd < 0.05) & (columns["q17"] == 1)] = -99.0
    columns["q19ba"][(odd > 0.995) & (columns["q17"] == 1)] = -83.0


_LABELS = {
    "q1": ("Geschlecht", {1: "männlich", 2: "weiblich"}),
    "q19ba": (
        "Wahlentscheidung: BTW, Zweitstimme (Version A)",
        {
            1: "CDU/CSU",
            4: "SPD",
            5: "FDP",
            6: "GRÜNE",
            7: "DIE LINKE",
            322: "AfD",
            801: "andere Partei",
            -83: "ungueltig gewaehlt",
            -97: "trifft nicht zu",
            -99: "keine Angabe",
        },
    ),
    "q125a": (
        "Parteiidentifikation (Version A)",
        {
            1: "CDU/CSU",
            2: "CDU",
            3: "CSU",
            4: "SPD",
            5: "FDP",
            6: "GRÜNE",
            7: "DIE LINKE",
            322: "AfD",
            801: "andere Partei",
            808: "keine Partei",
            -98: "weiss nicht",
            -99: "keine Angabe",
        },
    ),
    "q32": ("Links-Rechts-Einstufung: Ego", {1: "1 links", 11: "11 rechts", -98: "weiss nicht", -99: "keine Angabe"}),
    "ostwest2": ("Ost/West", {0: "Ostdeutschland", 1: "Westdeutschland"}),
}


def write(specimen: Specimen, path: Path) -> Path:
    """Write a specimen as the kind of file that the ending of `path` names.

    Raises
    ------
    VoteError
        If the ending is none of .sav, .dta, .csv, .parquet.
    """
    frame = specimen.columns
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        frame.write_csv(path)
    elif path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix in (".sav", ".dta"):
        import pyreadstat

        labels = {name: label for name, (label, _) in _LABELS.items()}
        values = {
            name: {float(code) if path.suffix == ".sav" else code: text for code, text in known.items()}
            for name, (_, known) in _LABELS.items()
        }
        writer = pyreadstat.write_sav if path.suffix == ".sav" else pyreadstat.write_dta
        integers = [name for name in frame.columns if name != "w_ipfges"] if path.suffix == ".dta" else []
        writer(
            frame.cast(dict.fromkeys(integers, _int32())), str(path), column_labels=labels, variable_value_labels=values
        )
    else:
        raise VoteError(f"{path}: a specimen is written as .sav, .dta, .csv or .parquet")
    return path


def _int32() -> type[pl.Int32]:
    import polars as pl

    return pl.Int32
