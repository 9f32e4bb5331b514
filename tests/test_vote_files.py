"""Survey files and mappings: what is read, and what a person is told when it does not fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from vote_worlds import GLES, gles_document, gles_file

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import ConfigError, VoteError
from temporal_adapters.study.config.vote import SurveyMapping, load_mapping
from temporal_adapters.study.config.vote_columns import code_text
from temporal_adapters.vote import check, files, respondents, specimen


@pytest.mark.parametrize("name", resources.names("surveys"))
def test_every_shipped_mapping_is_valid(name: str) -> None:
    assert load_mapping(name).labels


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".csv", ".parquet"])
def test_every_kind_of_file_gives_the_same_respondents(tmp_path: Path, suffix: str) -> None:
    reference = respondents.load(gles_file(tmp_path, ".parquet"), load_mapping(GLES)).frame
    assert respondents.load(gles_file(tmp_path, suffix), load_mapping(GLES)).frame.equals(reference)


@pytest.mark.parametrize(
    ("value", "code"),
    [(1.0, "1"), (-98.0, "-98"), ("1.0", "1"), (None, "."), (float("nan"), "."), (2.5, "2.5"), (" x ", "x"), ("", ".")],
)
def test_a_cell_becomes_one_code_whatever_the_file_calls_it(value: Any, code: str) -> None:
    assert code_text(value) == code


def test_the_vote_follows_the_turnout_rule_and_invalid_votes_are_no_class(tmp_path: Path) -> None:
    made = specimen.simulate(400, 3)
    survey = files.open_survey(specimen.write(made, tmp_path / "gles.parquet"))
    frame = respondents.load(survey, load_mapping(GLES)).frame
    raw = made.columns.filter(pl.col("q2d") == 1)
    assert frame.filter(pl.col("vote") == "Non-voter").height == raw.filter(pl.col("q17") == 2).height
    assert frame["vote"].null_count() == raw.filter((pl.col("q19ba") == -99) & (pl.col("q17") == 1)).height
    assert frame.height == raw.filter(pl.col("q19ba") != -83).height


def test_year_of_birth_becomes_age_and_a_degree_outranks_the_school(tmp_path: Path) -> None:
    made = specimen.simulate(300, 3, clean=True)
    survey = files.open_survey(specimen.write(made, tmp_path / "gles.sav"))
    frame = respondents.load(survey, load_mapping(GLES)).frame
    assert frame["age"].cast(pl.Int64).to_list() == [int(2017 - year) for year in made.columns["q2c"]]
    degrees = made.columns.select(pl.max_horizontal("q136j", "q136k", "q136l", "q136m"))
    assert (frame["education"] == "20").to_list() == (degrees.to_series() == 1).to_list()


def spoil(mapping: Callable[[dict[str, Any]], Any], columns: dict[str, Any]) -> Callable[[Path], tuple[Any, Any]]:
    def make(folder: Path) -> tuple[files.SurveyFile, SurveyMapping]:
        document = gles_document()
        mapping(document)
        frame = specimen.simulate(200, 1).columns.with_columns(**columns)
        frame.write_parquet(folder / "gles.parquet")
        return files.open_survey(folder / "gles.parquet"), SurveyMapping.model_validate(document)

    return make


def same(document: dict[str, Any]) -> None:
    return None


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (spoil(same, {"q1": pl.lit(3.0)}), r"q1 \(item 'gender'\) holds the code 3 .* the mapping does not know"),
        (spoil(same, {"q19ba": pl.lit(55.0)}), "the target q19ba holds the code 55"),
        (spoil(same, {"q32": pl.lit(-99.0)}), "'left_right'.* has no valid answer among"),
        (spoil(same, {"q2c": pl.lit(1850.0)}), "gives 167, above `maximum` 110"),
        (spoil(same, {"w_ipfges": pl.lit(0.0)}), "the weight is 0 for all"),
        (spoil(same, {"w_ipfges": pl.lit(None, pl.Float64)}), "the weight is missing, negative or not finite"),
        (spoil(same, {"lfdn": pl.lit(7.0)}), "respondent id '7' appears .* ids must differ"),
        (spoil(same, {"q2d": pl.lit(2.0)}), "no respondent is left after the filter q2d"),
        (
            spoil(lambda m: m["items"].pop(0) and m["items"][0].update(variable="q1x"), {}),
            r"lacks 1 of its columns \(q1x",
        ),
        (spoil(lambda m: m["items"][1]["answers"].pop("2"), {}), "validation"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path: Path, make: Any, words: str) -> None:
    if words == "validation":  # a sentence for a code that has no answer
        with pytest.raises(ValueError, match="which `answers` does not have"):
            make(tmp_path)
        return
    survey, mapping = make(tmp_path)
    with pytest.raises(VoteError, match=words) as caught:
        respondents.load(survey, mapping)
    assert "\n" not in str(caught.value)


def test_a_few_weights_of_zero_are_noted_and_not_refused(tmp_path: Path) -> None:
    weights = pl.when(pl.col("lfdn") < 4).then(0.0).otherwise(1.0)
    survey, mapping = spoil(same, {"w_ipfges": weights})(tmp_path)
    found = respondents.examine(survey, mapping)
    assert not found.problems and "weight 0" in found.notes[0]


def test_the_check_shows_codes_found_unknown_and_absent(tmp_path: Path) -> None:
    one = pl.when(pl.col("lfdn") < 5).then(3.0).otherwise(pl.col("q1"))
    survey, mapping = spoil(same, {"q1": one})(tmp_path)
    found = respondents.examine(survey, mapping)
    table = check.codes_table(survey, found)
    status = {(row["item"], row["code"]): row["status"] for row in table.iter_rows(named=True)}
    assert status["gender", "3"] == "UNKNOWN"
    assert status["education", "6"] == "not found"
    assert status["income", "-98"] == "missing"
    assert table.filter(pl.col("item") == "gender")["n"].sum() == check.items_table(found)["n"][0]


def test_classes_and_missing_votes_add_up(tmp_path: Path) -> None:
    found = respondents.examine(gles_file(tmp_path), load_mapping(GLES))
    table = check.classes_table(found)
    assert table["n"].sum() == found.respondents.frame.height
    assert table["weighted_share"].sum() == pytest.approx(1)


def labelled(path: Path, encoding: str) -> Path:
    """Write a Stata 13 file (no encoding stated in it) whose labels are in `encoding`."""
    import pyreadstat

    umlaut = "Ü".encode(encoding)
    ascii_label = f"GR{'X' * len(umlaut)}NE"
    frame = pl.DataFrame({"party": pl.Series([1, 2], dtype=pl.Int32)})
    pyreadstat.write_dta(frame, str(path), version=10, variable_value_labels={"party": {1: ascii_label, 2: "SPD"}})
    data = path.read_bytes()
    assert data.count(ascii_label.encode()) == 1
    path.write_bytes(data.replace(b"X" * len(umlaut), umlaut))
    return path


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8"])
def test_umlauts_are_read_in_the_encoding_that_fits(tmp_path: Path, encoding: str) -> None:
    survey = files.open_survey(labelled(tmp_path / "old.dta", encoding))
    assert survey.value_labels["party"]["1"] == "GRÜNE", survey.encoding


def test_stata_extended_missing_values_stay_apart(tmp_path: Path) -> None:
    import pandas as pd
    import pyreadstat

    frame = pd.DataFrame({"x": [1.0, "a", "b", None]}, dtype=object)
    pyreadstat.write_dta(frame, str(tmp_path / "x.dta"), missing_user_values={"x": ["a", "b"]})
    survey = files.open_survey(tmp_path / "x.dta")
    assert files.read_columns(survey, ["x"])["x"].to_list() == ["1", ".a", ".b", "."]


def test_two_codes_with_one_value_label_stay_two_codes(tmp_path: Path) -> None:
    import pyreadstat

    frame = pl.DataFrame({"x": pl.Series([1, 2, 2], dtype=pl.Int32)})
    pyreadstat.write_dta(frame, str(tmp_path / "x.dta"), variable_value_labels={"x": {1: "same", 2: "same"}})
    survey = files.open_survey(tmp_path / "x.dta")
    assert survey.value_labels["x"] == {"1": "same", "2": "same"}
    assert files.read_columns(survey, ["x"])["x"].to_list() == ["1", "2", "2"]


def test_csv_keeps_na_and_null_as_words_and_finds_its_separator(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes("a;b\nNA;null\n1.0;Grüne\n;2\n".encode("cp1252"))
    survey = files.open_survey(tmp_path / "x.csv")
    assert survey.encoding == "cp1252"
    assert files.read_columns(survey, ["b", "a"]).rows() == [("null", "NA"), ("Grüne", "1"), ("2", ".")]


@pytest.mark.parametrize("suffix", [".sav", ".dta"])
def test_a_file_that_breaks_off_is_not_read_as_a_smaller_survey(tmp_path: Path, suffix: str) -> None:
    whole = specimen.write(specimen.simulate(300, 1), tmp_path / f"gles{suffix}").read_bytes()
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(whole[: int(len(whole) * 0.8)])
    with pytest.raises(VoteError, match=rf"broken{suffix}: .*(breaks off|is it complete)"):
        respondents.load(files.open_survey(broken), load_mapping(GLES))


def test_a_header_that_claims_two_gigabytes_is_refused_before_memory_is_reserved(tmp_path: Path) -> None:
    import struct

    whole = bytearray(specimen.write(specimen.simulate(50, 1), tmp_path / "gles.sav").read_bytes())
    assert struct.unpack_from("<i", whole, 80) == (50,)  # number of cases in the header of an SPSS file
    struct.pack_into("<i", whole, 80, 10_000_000)
    (tmp_path / "big.sav").write_bytes(whole[:6000])
    with pytest.raises(VoteError, match=r"the header claims 10000000 respondents .* it breaks off"):
        files.open_survey(tmp_path / "big.sav")


@pytest.mark.parametrize("name", ["x.sav", "x.dta", "x.parquet", "x.csv"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"" if name == "x.csv" else b"no survey at all" * 9)
    with pytest.raises(VoteError, match=name):
        files.open_survey(tmp_path / name)


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    specimen.simulate(5).columns.clear().write_csv(tmp_path / "empty.csv")
    with pytest.raises(VoteError, match="a header but no respondents"):
        respondents.load(files.open_survey(tmp_path / "empty.csv"), load_mapping(GLES))


def test_a_variable_label_that_fits_two_columns_is_refused(tmp_path: Path) -> None:
    import pyreadstat

    frame = specimen.simulate(20).columns.with_columns(again=pl.col("q32"))
    labels = {"q32": "Links-Rechts: Ego", "again": "LINKS-RECHTS:  ego"}
    pyreadstat.write_sav(frame, str(tmp_path / "s.sav"), column_labels=labels)
    document = gles_document()
    left_right = next(item for item in document["items"] if item["name"] == "left_right")
    del left_right["variable"]
    left_right["variable_label"] = "Links-Rechts: Ego"
    with pytest.raises(VoteError, match=r"of item left_right fits q32, again: name one by `variable`"):
        respondents.resolve(files.open_survey(tmp_path / "s.sav"), SurveyMapping.model_validate(document))


def test_columns_may_be_named_by_their_variable_label(tmp_path: Path) -> None:
    document = gles_document()
    party = next(item for item in document["items"] if item["name"] == "party_id")
    del party["variable"]
    party["variable_label"] = "parteiidentifikation (version a)"
    mapping = SurveyMapping.model_validate(document)
    assert respondents.resolve(gles_file(tmp_path), mapping)["item party_id"] == "q125a"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m["own_party"].update(item="party"), "own_party.item names 'party'"),
        (lambda m: m["items"].append(m["items"][0]), "the item 'age' appears twice"),
        (lambda m: m["target"]["labels"][0].update(codes=[4]), "the target's code '4' appears twice"),
        (lambda m: m["items"][0].update(name="vote"), "the reserved name 'vote'"),
        (lambda m: m["items"][7].update(recode={"2": 99}), "leads to '99', which `answers` does not have"),
        (lambda m: m["items"][1]["question"].pop("de"), "question has no words in 'de'"),
    ],
)
def test_a_mapping_that_contradicts_itself_is_refused(change: Callable[[Any], Any], words: str) -> None:
    document = gles_document()
    change(document)
    with pytest.raises(ValueError, match=words):
        SurveyMapping.model_validate(document)


def test_a_mistake_in_a_mapping_file_is_named_with_its_line(tmp_path: Path) -> None:
    text = resources.text("surveys", "template").replace("    kind: nominal", "    kinds: nominal", 1)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine.yaml:\d+: .*kind"):
        load_mapping(tmp_path / "mine.yaml")


def test_anes_is_read_without_a_complaint(shared_data: Path) -> None:
    survey = files.open_survey(shared_data / "anes2016" / "anes2016_vote.csv")
    found = respondents.examine(survey, load_mapping("anes2016"))
    assert found.problems == [] and found.respondents.frame.height == 3053
