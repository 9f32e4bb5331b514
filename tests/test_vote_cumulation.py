"""The shipped mapping of the GLES cumulation (ZA6835) on a made-up SPSS file of its shape.

The real file is not ours to give. Its variable labels, its two surveys per election and its missing codes declared as
SPSS missing ranges are imitated here; the names of its columns are not, as the mapping must not need them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config.vote import load_mapping
from temporal_adapters.vote import check, files, respondents

CUMULATION = "gles-cumulation"
VOTE = "Wahlentscheidung: BTW, Zweitstimme (Version A)"
PARTY = "Parteiidentifikation (Version A)"
YEAR, BEFORE = "Erhebungsjahr", "Vorwahlbefragung"

VOTES = {1: 31, 4: 24, 6: 11, 5: 12, 7: 10, 322: 13, 801: 3, 206: 1, 215: 2, -97: 17, -83: 2, -98: 1, -99: 6}
"""Second vote of the respondents of 2017, after the election -> how many."""

CLASSES = {"CDU/CSU": 31, "SPD": 24, "Greens": 11, "FDP": 12, "Left": 10, "AfD": 13, "Small party": 6, "Non-voter": 17}
"""What they are once read: 206 and 215 are small parties, -97 did not vote, -83 is dropped, -98 and -99 are unknown."""

UNKNOWN_VOTES = 7

ANSWERS: Mapping[str, tuple[int, ...]] = {
    "Alter": (18, 34, 51, 92, -99),
    "Geschlecht": (1, 2),
    "Bildung: Schule": (1, 2, 3, 4, 5, 6, 9, -99),
    "Haushaltseinkommen": (*range(1, 14), -98, -99),
    "Erwerbstaetigkeit: aktuell": (*range(1, 13), -99),
    "Religiositaet": (1, 2, 3, 4, -98),
    "Links-Rechts-Einstufung: Ego": (*range(1, 12), -98, -99),
    PARTY: (1, 2, 3, 4, 5, 6, 7, 322, 801, 206, 215, 808, -98, -99),
    "Parteiidentifikation: Staerke": (1, 2, 3, 4, 5, -97),
    "Ost/West (genaue Zuordnung von Berlin zu Ost- und Westdeutschland)": (0, 1),
    "Positionsissue: Zuwanderung, Ego": (*range(1, 12), -98),
    "Einstellungen: Issue D, Einkommensunterschiede verringern": (1, 2, 3, 4, 5, -98),
}
"""Variable label -> codes given in 2017 after the election, missing ones included."""

SURVEYS = ((2009, 1, 40), (2009, 0, 40), (2013, 0, 40), (2017, 1, 50), (2017, 0, sum(VOTES.values())), (2013, 1, 40))
"""Year, whether before the election, respondents; the one to keep stands in the middle of the file."""

ELSEWHERE = 440
"""A code that no mapping knows: what other years and the survey before the election hold must not matter."""


def columns(seed: int = 1) -> dict[str, list[int]]:
    """Return variable label -> codes."""
    rng = np.random.default_rng(seed)
    made: dict[str, list[int]] = {label: [] for label in (YEAR, BEFORE, VOTE, *ANSWERS)}
    for year, before, n in SURVEYS:
        kept = (year, before) == (2017, 0)
        made[YEAR] += [year] * n
        made[BEFORE] += [before] * n
        votes = [code for code, count in VOTES.items() for _ in range(count)]
        made[VOTE] += [int(code) for code in rng.permutation(votes)] if kept else [ELSEWHERE] * n
        for label, codes in ANSWERS.items():
            made[label] += [int(code) for code in rng.permutation(np.resize(codes, n))] if kept else [ELSEWHERE] * n
    return made


def write(path: Path, made: Mapping[str, list[int]], renamed: Mapping[str, str] | None = None) -> files.SurveyFile:
    """Write an SPSS file with columns v1, v2 ... that carry the labels; missing codes are declared as SPSS does."""
    import pyreadstat

    names = [f"v{number}" for number in range(1, len(made) + 1)]
    labels = [(renamed or {}).get(label, label) for label in made]
    values = {VOTE: {6.0: "GRÜNE", -97.0: "trifft nicht zu"}, BEFORE: {0.0: "nein", 1.0: "ja"}}
    pyreadstat.write_sav(
        pl.DataFrame(dict(zip(names, made.values(), strict=True))).cast(pl.Float64),
        str(path),
        column_labels=dict(zip(names, labels, strict=True)),
        variable_value_labels={name: values[label] for name, label in zip(names, made, strict=True) if label in values},
        missing_ranges={name: [{"lo": -99, "hi": -71}] for name in names},
    )
    return files.open_survey(path)


def call_check(path: Path) -> Result:
    return CliRunner().invoke(app, ["vote", "check", str(path), CUMULATION])


def test_the_generator_writes_every_column_that_the_mapping_names_and_every_code_of_its_words() -> None:
    mapping = load_mapping(CUMULATION)
    named = {rule.variable_label for rule in mapping.filters} | {mapping.target.variable_label}
    assert named == {YEAR, BEFORE, VOTE}
    assert {item.variable_label for item in mapping.items} == set(ANSWERS)
    for item in mapping.items:
        written = {str(code) for code in ANSWERS[str(item.variable_label)]}
        assert set(item.answers) | set(item.recode) <= written, item.name


def test_the_shipped_mapping_fits_a_file_of_the_cumulation_s_shape(tmp_path: Path) -> None:
    write(tmp_path / "za6835.sav", columns())
    checked = call_check(tmp_path / "za6835.sav")
    assert checked.exit_code == 0, checked.output
    assert "the file and the mapping fit" in checked.output and "UNKNOWN" not in checked.output


def test_only_the_respondents_of_2017_after_the_election_are_kept(tmp_path: Path) -> None:
    made = columns()
    found = respondents.examine(write(tmp_path / "za6835.sav", made), load_mapping(CUMULATION))
    n = sum(VOTES.values())
    assert list(found.filtered.values()) == [210 + n, 50 + n, n, n - VOTES[-83]]
    kept = [row for row, rule in enumerate(zip(made[YEAR], made[BEFORE], strict=True)) if rule == (2017, 0)]
    rows = [row for row in kept if made[VOTE][row] != -83]
    frame = found.respondents.frame
    ids = [str(row + 1) for row in rows]  # rows of the file, so that imputed votes can be joined to it
    assert frame["respondent_id"].to_list() == ids
    assert frame["age"].to_list() == [f"{'.' if made['Alter'][row] < 0 else ''}{made['Alter'][row]}" for row in rows]


def test_the_classes_counted_are_the_votes_written(tmp_path: Path) -> None:
    found = respondents.examine(write(tmp_path / "za6835.sav", columns()), load_mapping(CUMULATION))
    table = check.classes_table(found)
    assert dict(zip(table["vote"], table["n"], strict=True)) == {**CLASSES, "(missing)": UNKNOWN_VOTES}
    assert found.problems == [] and found.notes == []
    assert dict(found.target) == {str(code): count for code, count in VOTES.items()}


def test_missing_codes_that_spss_declares_stay_apart(tmp_path: Path) -> None:
    survey = write(tmp_path / "za6835.sav", columns())
    found = respondents.examine(survey, load_mapping(CUMULATION))
    table = check.codes_table(survey, found)
    status = {(row["item"], row["code"]): (row["words"], row["status"]) for row in table.iter_rows(named=True)}
    assert status["party_id", "-98"] == ("don't know", "missing")
    assert status["party_id", "-99"] == ("no answer", "missing")
    assert status["party_id_strength", "-97"] == ("not applicable", "missing")
    assert status["income", "-98"] == ("no answer", "missing")


@pytest.mark.parametrize(
    ("label", "code", "words"),
    [
        (VOTE, 180, f"the target label '{VOTE}' holds the code 180 (1 respondents), which the mapping does not know"),
        (PARTY, 180, f"label '{PARTY}' (item 'party_id') holds the code 180 (1 respondents), which the mapping does"),
        ("Alter", 15, "label 'Alter' (item 'age') holds the code 15 (1 respondents), which gives 15, below `minimum`"),
    ],
)
def test_an_unknown_code_is_refused_in_one_sentence(tmp_path: Path, label: str, code: int, words: str) -> None:
    made = columns()
    row = next(row for row, rule in enumerate(zip(made[YEAR], made[BEFORE], strict=True)) if rule == (2017, 0))
    made[label][row] = code
    survey = write(tmp_path / "za6835.sav", made)
    with pytest.raises(VoteError) as caught:
        respondents.load(survey, load_mapping(CUMULATION))
    message = str(caught.value)
    assert words in message and "\n" not in message and "more problems" not in message
    checked = call_check(tmp_path / "za6835.sav")
    assert checked.exit_code != 0 and f"refused: {words}" in checked.output


def test_a_filter_that_keeps_nobody_says_what_the_column_holds(tmp_path: Path) -> None:
    made = columns()
    made[BEFORE] = [2 - before for before in made[BEFORE]]
    with pytest.raises(VoteError, match=r"filter label 'Vorwahlbefragung' in 0: it holds 1, 2; change `keep`"):
        respondents.load(write(tmp_path / "za6835.sav", made), load_mapping(CUMULATION))


def test_version_2_of_the_file_is_named_as_another_file_by_the_labels_it_lacks(tmp_path: Path) -> None:
    renamed = {YEAR: "Interview: Datum, Jahr", "Haushaltseinkommen": "Haushaltsnettoeinkommen"}
    survey = write(tmp_path / "v2.sav", columns(), renamed)
    with pytest.raises(VoteError, match=r"lacks 2 of its columns \(label 'Erhebungsjahr', label 'Haushaltseinkommen'"):
        respondents.load(survey, load_mapping(CUMULATION))


def test_the_header_s_recipe_for_version_2_works(tmp_path: Path) -> None:
    renamed = {YEAR: "Interview: Datum, Jahr", "Haushaltseinkommen": "Haushaltsnettoeinkommen"}
    survey = write(tmp_path / "v2.sav", columns(), renamed)
    text = CliRunner().invoke(app, ["vote", "show", CUMULATION]).output
    for old, new in renamed.items():
        text = text.replace(f"variable_label: {old}", f'variable_label: "{new}"')
    (tmp_path / "v2.yaml").write_text(text, encoding="utf-8")
    assert respondents.load(survey, load_mapping(tmp_path / "v2.yaml")).frame.height == sum(VOTES.values()) - VOTES[-83]
