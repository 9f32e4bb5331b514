"""Questionnaires: the native format, its CSV twin, the rules, and imports from other programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire import Item, Option, Questionnaire, Wording, load
from temporal_adapters.study.questionnaire.importers import import_file
from temporal_adapters.study.questionnaire.native_text import dumps as to_yaml
from temporal_adapters.study.questionnaire.prompts import labels, option_orders, render
from temporal_adapters.study.questionnaire.rules import problems
from temporal_adapters.study.questionnaire.twin import dumps as to_csv

HEAD = "questionnaire: t\nitems:\n"
ASKED = "    wordings: [{wording: w, text: So?}]\n"


def write(tmp_path: Path, text: str, name: str = "q.yaml") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def scale(*lines: str, extra: str = "") -> str:
    options = "".join(f"      - {line}\n" for line in lines)
    return f"{HEAD}  - item: a\n    type: scale\n{extra}    options:\n{options}{ASKED}"


@pytest.mark.parametrize("name", resources.names("questionnaires"))
@pytest.mark.parametrize(("write_text", "ending"), [(to_yaml, ".yaml"), (to_csv, ".csv")])
def test_every_shipped_questionnaire_survives_both_formats(name: str, write_text, ending: str, tmp_path: Path) -> None:
    questionnaire = load(name, methods=["sequence"])
    assert load(write(tmp_path, write_text(questionnaire), f"q{ending}")) == questionnaire


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=12).map(
    str.strip
)
NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,8}", fullmatch=True)


@st.composite
def questionnaires(draw: st.DrawFn) -> Questionnaire:
    texts = draw(
        st.lists(TEXT.filter(bool), min_size=3, max_size=5, unique_by=lambda t: " ".join(t.casefold().split()))
    )
    options = [
        Option(f"o{n}", text, draw(st.none() | st.just(f"c{n}")), None, aliases=(), survey=draw(NAME))
        for n, text in enumerate(texts[:-1])
    ]
    options.append(Option("dk", texts[-1], role="nonresponse", pinned=draw(st.booleans()), survey="dk"))
    wording = Wording(
        "w",
        draw(TEXT.filter(lambda t: bool(t) and "{opt" not in t)),
        prefix=draw(TEXT.filter(lambda t: "{opt" not in t)),
        delimiter=draw(st.sampled_from([" ", "\n", "", ": "])),
        premise=draw(st.none() | TEXT.filter(bool)),
        content_free=tuple(draw(st.lists(st.text("ab|\\ ", max_size=3), max_size=3))),
        yes=("Yes", " yes"),
    )
    item = Item("i", "select_one", tuple(options), (wording,), "Title", draw(NAME), "sq", ("lower",), domain="d")
    return Questionnaire(draw(NAME), (item,), "T", "en", "somebody")


@given(questionnaires())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_formats_are_lossless(tmp_path: Path, questionnaire: Questionnaire) -> None:
    if problems(questionnaire):
        return
    assert load(write(tmp_path, to_yaml(questionnaire))) == questionnaire
    assert load(write(tmp_path, to_csv(questionnaire), "q.csv")) == questionnaire


def test_yes_and_no_stay_words(tmp_path: Path) -> None:
    text = (
        HEAD + "  - item: a\n    type: select_one\n    options: [Yes, No, 3]\n    wordings: [{wording: w, text: So?}]\n"
    )
    assert [option.text for option in load(write(tmp_path, text)).items[0].options] == ["Yes", "No", "3"]


BAD = {
    "nonresponse inside a scale": (
        scale("{text: Good, value: 2}", "{text: Refused, role: nonresponse}", "{text: Bad, value: 1}"),
        r"q.yaml:7: option 'Refused' is a nonresponse inside a scale",
    ),
    "don't know as a point of the scale": (
        scale("{text: Good, value: 3}", "{text: Bad, value: 2}", "{text: Don't know, value: 1}"),
        r"q.yaml:8: option \"Don't know\" reads like a nonresponse",
    ),
    "nonresponse with a value": (
        scale("{text: Good, value: 2}", "{text: Bad, value: 1}", "{text: DK, role: nonresponse, value: 9}"),
        r"q.yaml:8: option 'DK' is a nonresponse and has the value 9",
    ),
    "a scale without values": (scale("Good", "Bad"), r"q.yaml:6: option 'Good' of the scale 'a' needs a value"),
    "values that jump": (
        scale("{text: Good, value: 1}", "{text: Fair, value: 3}", "{text: Bad, value: 2}"),
        r"q.yaml:3: the values of the scale 'a' must rise or fall steadily",
    ),
    "a shuffled scale": (
        scale("{text: Good, value: 2}", "{text: Bad, value: 1}", extra="    orders: cyclic\n"),
        r"the scale 'a' cannot be shuffled",
    ),
    "a pinned option in the middle": (
        HEAD
        + "  - item: a\n    type: select_one\n    options:\n      - {text: Other, pinned: true}\n"
        + "      - Red\n      - Blue\n"
        + "    wordings: [{wording: w, text: So?}]\n",
        r"q.yaml:6: option 'Other' is pinned but stands before",
    ),
    "the same text twice": (
        HEAD + "  - item: a\n    type: select_one\n    options: [Red, Blue, ' red']\n" + ASKED,
        r"q.yaml:5: .*(' red'|'Red')",
    ),
    "an unknown key": (
        HEAD + "  - item: a\n    type: select_one\n    optoins: [Red]\n    wordings: [{wording: w, text: So?}]\n",
        r"q.yaml:5: unknown key 'items.0.optoins'; did you mean 'options'",
    ),
    "an unknown list": (
        HEAD + "  - item: a\n    type: select_one\n    choices: colours\n    wordings: [{wording: w, text: So?}]\n",
        r"q.yaml:3: there is no list of choices 'colours'",
    ),
    "each without a placeholder": (
        HEAD
        + "  - item: a\n    type: select_multiple\n    options: [Red, Blue]\n"
        + "    wordings:\n      - {wording: w, ask: each, text: So?}\n",
        r"q.yaml:7: wording 'w' of item 'a' asks each option: its text needs the placeholder",
    ),
    "two items of one name": (
        HEAD
        + 2 * "  - item: a\n    type: select_one\n    options: [Red, Blue]\n    wordings: [{wording: w, text: So?}]\n",
        r"q.yaml:7: the item name 'a' is used twice",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_broken_rules_are_one_sentence_with_file_and_line(case: str, tmp_path: Path) -> None:
    text, message = BAD[case]
    with pytest.raises(QuestionnaireError, match=message) as caught:
        load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_an_option_that_begins_another_is_refused_only_where_it_cannot_be_told_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        HEAD + "  - item: a\n    type: select_one\n    options:\n      - Approve\n      - Approve strongly\n"
        "    wordings: [{wording: w, text: So?}]\n",
    )
    with pytest.raises(QuestionnaireError, match=r"q.yaml:7: .*'Approve' is the beginning of 'Approve strongly'"):
        load(path, methods=["sequence", "trie"])
    load(path, methods=["sequence+end", "trie"])


def test_a_broken_twin_names_file_and_line(tmp_path: Path) -> None:
    lines = to_csv(load("nhs")).splitlines()
    wrong = [line.replace("substantive", "boss") if n == 4 else line for n, line in enumerate(lines)]
    with pytest.raises(QuestionnaireError, match=r"q.csv:5: role: 'boss' is not allowed"):
        load(write(tmp_path, "\n".join(wrong), "q.csv"))
    with pytest.raises(QuestionnaireError, match=r"q.csv:1: unknown column 'sheets'"):
        load(write(tmp_path, "sheets,name\nsettings,x\n", "q.csv"))


def test_orders_keep_fixed_options_last_and_scales_only_turn_round() -> None:
    vote = load("vote-intention-de").items[0]
    listed = vote.wordings[2]
    orders = option_orders(vote, listed)
    assert len(orders) == 6
    assert all([o.name for o in options[-3:]] == ["andere", "Nichtwahl", "Weiß nicht"] for options in orders.values())
    assert [options[0].name for options in orders.values()] == ["CDU/CSU", "SPD", "FDP", "Grüne", "Die Linke", "AfD"]
    scale_item = load("nhs").items[0]
    turned = list(option_orders(scale_item, scale_item.wordings[1]).values())
    assert [o.value for o in turned[1][:5]] == [1, 2, 3, 4, 5] and turned[1][5].role == "nonresponse"
    assert list(option_orders(vote, vote.wordings[0])) == ["as-written"], "nothing listed, nothing to shuffle"


def test_prompts_are_pinned_to_the_letter() -> None:
    item = load("government-approval").items[0]
    listed = item.wordings[1]
    assert labels(listed, 3) == ("A", "B", "C")
    assert render(item, listed).plain == (
        "Do you approve or disapprove of the Government's record to date?\n"
        "A. Approve\nB. Disapprove\nC. Don't know\nAnswer:"
    )
    mood = load("britains-mood").items[0]
    assert render(mood, mood.wordings[1]).plain.endswith("how you have felt in the past week? I felt")
    each = mood.wordings[-1]
    assert (
        render(mood, each, option=mood.options[0]).plain == "Have you felt Happy in the past week? Yes or no? Answer:"
    )


# Imports.


def test_a_qstn_file_is_imported_with_options_from_outside(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "questionnaire_item_id,question_content,question_stem\n1,Coffee,How do you feel about {{question_content}}?\n"
        "2,Tea,How do you feel about?\n",
        "drinks.csv",
    )
    with pytest.raises(QuestionnaireError, match=r"drinks.csv:2: the question has no answer options"):
        import_file(path)
    found = import_file(path, ["1=Good", "2=Bad", "Don't know"], scales=["1"]).questionnaire
    first, second = found.items
    assert first.wordings[0].text == "How do you feel about Coffee?"
    assert second.wordings[0].text == "How do you feel about? Tea"
    assert [(o.code, o.value, o.role) for o in first.options] == [
        ("1", 1.0, "substantive"), ("2", 2.0, "substantive"), (None, None, "nonresponse"),
    ]  # fmt: skip
    assert load(write(tmp_path, to_yaml(found))) == found


def test_an_xlsform_workbook_is_imported(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    survey, choices = book.active, book.create_sheet("choices")
    survey.title = "survey"
    for row in (
        ("type", "name", "label::English (en)", "required"),
        ("start", "start", None, None),
        ("select_one yn", "owns", "Do you own a bike?", "yes"),
        ("select_multiple why or_other", "why", "Why?", None),
        ("text", "free", "Say more", None),
    ):
        survey.append(row)
    for row in (
        ("list_name", "name", "label::English (en)"), ("yn", 1, "Yes"), ("yn", 0, "No"),
        ("yn", -99, "Prefer not to say"),
        ("why", "health", "Health"), ("why", "fun", "Fun"),
    ):  # fmt: skip
        choices.append(row)
    book.save(tmp_path / "bikes.xlsx")
    found = import_file(tmp_path / "bikes.xlsx")
    assert [(item.name, item.type) for item in found.questionnaire.items] == [
        ("owns", "select_one"),
        ("why", "select_multiple"),
    ]
    assert [option.code for option in found.questionnaire.items[0].options] == ["1", "0", "-99"]
    assert found.questionnaire.items[0].options[2].role == "nonresponse"
    assert [part.split()[0] for part in found.left_out] == ["start", "free"]


@pytest.mark.parametrize("ending", [".sav", ".dta"])
def test_labels_of_a_data_file_are_imported(ending: str, tmp_path: Path) -> None:
    import pandas as pd
    import pyreadstat

    path = tmp_path / f"wave{ending}"
    frame = pd.DataFrame({"q1": [1, 2, 1], "age": [30, 40, 50]})
    labels_of = {"q1": {1: "Zufrieden", 2: "Unzufrieden", -98: "Weiß nicht"}}
    text = {"q1": "Wie zufrieden sind Sie?", "age": "Alter"}
    if ending == ".sav":
        pyreadstat.write_sav(frame, str(path), column_labels=text, variable_value_labels=labels_of)
    else:
        pyreadstat.write_dta(frame, str(path), column_labels=text, variable_value_labels=labels_of)
    found = import_file(path, scales=["q1"])
    (item,) = found.questionnaire.items
    assert item.wordings[0].text == "Wie zufrieden sind Sie?"
    assert [(o.text, o.code, o.role) for o in item.options] == [
        ("Zufrieden", "1", "substantive"), ("Unzufrieden", "2", "substantive"), ("Weiß nicht", "-98", "nonresponse"),
    ]  # fmt: skip
    assert found.left_out == ("age (fewer than two labelled answers)",)


def test_a_damaged_workbook_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(QuestionnaireError, match="cannot be read as an xlsx workbook"):
        import_file(write(tmp_path, "no workbook", "x.xlsx"))
    with pytest.raises(QuestionnaireError, match=r"cannot import \.pdf"):
        import_file(write(tmp_path, "", "x.pdf"))


def test_a_text_that_begins_with_a_question_mark_survives_yaml(tmp_path: Path) -> None:
    options = (Option("a", "?0", aliases=("? or so",)), Option("b", "? maybe"))
    written = Questionnaire("q", (Item("i", "select_one", options, (Wording("w", "? Well"),)),))
    (tmp_path / "q.yaml").write_text(to_yaml(written), encoding="utf-8")
    found = load(tmp_path / "q.yaml").items[0]
    assert [option.text for option in found.options] == ["?0", "? maybe"]
    assert found.options[0].aliases == ("? or so",)
