"""Questionnaires of other programs, written here as those programs write them; one bad question is left out by name."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire import Questionnaire, load
from temporal_adapters.study.questionnaire.exporters import export_file
from temporal_adapters.study.questionnaire.formats.asked import Unusable, plain
from temporal_adapters.study.questionnaire.importers import FORMATS, Imported, import_file
from temporal_adapters.study.questionnaire.native_text import dumps

YN = [("yn", "1", "Yes"), ("yn", "0", "No")]


def workbook(
    path: Path,
    survey: list[tuple[object, ...]],
    choices: list[tuple[object, ...]] = YN,
    heads: tuple[tuple[str, ...], tuple[str, ...]] = (("type", "name", "label"), ("list_name", "name", "label")),
    names: tuple[str, str] = ("survey", "choices"),
    settings: dict[str, str] | None = None,
) -> Path:
    book = openpyxl.Workbook()
    book.active.title = names[0]
    for row in (heads[0], *survey):
        book.active.append(list(row))
    page = book.create_sheet(names[1])
    for row in (heads[1], *choices):
        page.append(list(row))
    if settings:
        page = book.create_sheet("settings")
        page.append(list(settings))
        page.append(list(settings.values()))
    book.save(path)
    return path


def texts(found: Imported) -> dict[str, list[str]]:
    return {item.name: [option.text for option in item.options] for item in found.questionnaire.items}


@pytest.mark.parametrize(
    ("kind", "item_type"),
    [
        ("select_one yn", "select_one"),
        ("select one yn", "select_one"),
        ("select one from yn", "select_one"),
        ("Select_One yn", "select_one"),
        ("select1 yn", "select_one"),
        ("add select one prompt using yn", "select_one"),
        ("select_one yn or_other", "select_one"),
        ("select_multiple yn", "select_multiple"),
        ("select multiple from yn", "select_multiple"),
        ("select all that apply from yn", "select_multiple"),
        ("add select multiple prompt using yn", "select_multiple"),
        ("select_multiple yn or specify other", "select_multiple"),
    ],
)
def test_every_spelling_of_a_choice_question_comes_in(tmp_path: Path, kind: str, item_type: str) -> None:
    found = import_file(workbook(tmp_path / "f.xlsx", [(kind, "q", "Will you vote?")]))
    (item,) = found.questionnaire.items
    assert item.type == item_type
    assert [option.text for option in item.options][:2] == ["Yes", "No"]
    assert ("Other" in [option.text for option in item.options]) == ("other" in kind)


@pytest.mark.parametrize(
    ("heads", "names"),
    [
        ((("type", "name", "label:English"), ("list name", "name", "label:English")), ("survey", "choices")),
        ((("Type", "Name", "Label"), ("List_Name", "Name", "Label")), ("SURVEY", "Choices")),
        ((("type", "name", "label :: English"), ("list_name", "value", "label::English ")), ("Survey ", "choices")),
        ((("type", "name", "caption"), ("list_name", "name", "label")), ("survey", "choices")),
    ],
)  # fmt: skip
def test_every_spelling_of_columns_and_sheets_comes_in(
    tmp_path: Path, heads: tuple[tuple[str, ...], tuple[str, ...]], names: tuple[str, str]
) -> None:
    found = import_file(workbook(tmp_path / "f.xlsx", [("select_one yn", "q", "Vote?")], heads=heads, names=names))
    assert texts(found) == {"q": ["Yes", "No"]}


def languages(path: Path, **settings: str) -> Path:
    return workbook(
        path,
        [
            ("select_one yn", "q1", "Allez-vous voter ?", "Will you vote?"),
            ("select_one yn", "q2", None, "Only English?"),
        ],
        [("yn", "1", "Oui", "Yes"), ("yn", "0", "Non", "No")],
        (
            ("type", "name", "label::French (fr)", "label::English (en)"),
            ("list_name", "name", "label::French (fr)", "label::English (en)"),
        ),
        settings=settings,
    )


def test_the_default_language_or_the_one_asked_for_is_read_with_its_own_answers(tmp_path: Path) -> None:
    path = languages(tmp_path / "f.xlsx", default_language="English (en)")
    found = import_file(path)
    assert texts(found) == {"q1": ["Yes", "No"], "q2": ["Yes", "No"]}
    assert found.questionnaire.language == "en"
    for wanted in ("fr", "French", "French (fr)"):
        french = import_file(path, language=wanted)
        assert texts(french) == {"q1": ["Oui", "Non"]}
        assert french.left_out == ("q2 (it has no label in French (fr))",)
    with pytest.raises(QuestionnaireError, match=r"no language 'German' \(it has French \(fr\), English \(en\)\)"):
        import_file(path, language="German")
    said = import_file(languages(tmp_path / "g.xlsx")).notes
    assert said == ("language: French (fr), the first of French (fr), English (en); --language chooses another",)


def test_a_bare_label_is_the_default_language(tmp_path: Path) -> None:
    heads = (("type", "name", "label", "label::French"), ("list_name", "name", "label", "label::French"))
    rows = [("select_one yn", "q", "Vote?", "Voter ?")]
    lists = [("yn", "1", "Yes", "Oui"), ("yn", "0", "No", "Non")]
    path = workbook(tmp_path / "f.xlsx", rows, lists, heads, settings={"default_language": "English"})
    assert texts(import_file(path)) == {"q": ["Yes", "No"]}
    assert texts(import_file(path, language="fr")) == {"q": ["Oui", "Non"]}


def test_one_bad_question_is_left_out_by_name_and_the_rest_imported(tmp_path: Path) -> None:
    heads = (("type", "name", "label", "choice_filter", "appearance"), ("list_name", "name", "label"))
    rows = [
        ("begin group", "g", "Part 1"),
        ("select_one yn", "good", "Will you vote?"),
        ("select_one yn", "piped", "Does ${child} go to school?"),
        ("select_one one", "consent", "Do you agree?"),
        ("select_one dash", "dashes", "Scale?"),
        ("select_one region", "region", "Which region?", "country=${country}"),
        ("select_one_from_file towns.csv", "town", "Which town?"),
        ("select_one lost", "lost", "Lost?"),
        ("rank yn", "ranked", "Rank them"),
        ("select_one yn", None, "Nameless?"),
        ("select_one yn", "textless", None),
        ("end group", None, None),
        ("note", "thanks", "Thanks"),
    ]
    lists = [*YN, ("one", "1", "I agree"), ("dash", "1", "Low"), ("dash", "2", "-"), ("dash", "3", "-")]
    lists += [("region", "a", "North"), ("region", "b", "South")]
    found = import_file(workbook(tmp_path / "f.xlsx", rows, lists, heads))
    assert texts(found) == {"good": ["Yes", "No"]}
    said = {part.partition(" (")[0]: part for part in found.left_out}
    assert set(said) == {
        "piped", "consent", "dashes", "region", "town", "lost", "ranked", "row 11", "textless", "thanks",
    }  # fmt: skip
    assert "its text inserts ${child}" in said["piped"]
    assert "choice_filter country=${country}" in said["region"]
    assert "'lost', which is missing" in said["lost"]


def test_equal_names_in_two_groups_are_both_imported(tmp_path: Path) -> None:
    rows = [
        ("begin_group", "a", "A"), ("select_one yn", "q", "In A?"), ("end_group", None, None),
        ("begin_repeat", "b", "B"), ("select_one yn", "q", "In B?"), ("end_repeat", None, None),
        ("select_one yn", "q", "Outside?"),
    ]  # fmt: skip
    found = import_file(workbook(tmp_path / "f.xlsx", rows))
    assert list(texts(found)) == ["q", "b-q"]
    assert found.left_out == ("q (the item name 'q' is used twice)",)


def test_tables_and_ranges_become_what_they_are(tmp_path: Path) -> None:
    heads = (("type", "name", "label", "appearance", "parameters"), ("list_name", "name", "label"))
    rows = [
        ("begin_group", "t", "How often do you feel", "table-list", None),
        ("select_one yn", "sad", "sad?", None, None),
        ("end_group", None, None, None, None),
        ("range", "life", "How satisfied are you?", None, "start=0 end=10 step=1"),
        ("range", "age", "How old?", None, "start=0 end=99"),
        ("select_one yn", "lik", "Agree?", "likert", None),
    ]
    found = import_file(workbook(tmp_path / "f.xlsx", rows, YN, heads))
    items = {item.name: item for item in found.questionnaire.items}
    assert items["sad"].wordings[0].text == "How often do you feel sad?"
    assert (items["life"].type, [option.value for option in items["life"].options]) == (
        "scale", [float(n) for n in range(11)],
    )  # fmt: skip
    assert items["lik"].type == "scale"
    assert found.left_out == ("age (a range of 100 points, at most 11 are answers)",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<b>Will you <span style="color:red">vote</span>?</b>', "Will you vote?"),
        ("**Will** you _vote_ for &amp; against?", "Will you vote for & against?"),
        ("One<br/>two<p>three</p>&nbsp;four", "One two three four"),
        ("<style>p {color: red}</style>Q", "Q"),
        ("&lt;b&gt;bold&lt;/b&gt; 5 &lt; 6", "bold 5 < 6"),
        ("# Title\n[here](https://example.org) ![x](y.png)", "Title here x"),
        ("a_b_c and 2*3*4 stay", "a_b_c and 2*3*4 stay"),
        ("3 < 4 and 5 > 2", "3 < 4 and 5 > 2"),
    ],
)
def test_markup_and_entities_are_taken_out(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    "text", ["${child}", "${q://QID1/ChoiceText}", "{Q1.shown}", "{{name}}", "a %NAME% b", "{name}"]
)
def test_inserted_answers_make_a_question_unusable(text: str) -> None:
    with pytest.raises(Unusable, match="its text inserts"):
        plain(f"Is {text} right?")


LSS_OLD = """<?xml version="1.0" encoding="UTF-8"?>
<document><LimeSurveyDocType>Survey</LimeSurveyDocType><DBVersion>178</DBVersion>
<languages><language>en</language><language>de</language></languages>
<groups><rows><row><gid>1</gid><group_order>0</group_order><language>en</language></row></rows></groups>
<questions><rows>
{questions}
</rows></questions>
<subquestions><rows>
<row><qid>31</qid><parent_qid>3</parent_qid><gid>1</gid><type>T</type><title>SQ1</title><question>Happy</question>
<question_order>1</question_order><language>en</language></row>
<row><qid>32</qid><parent_qid>3</parent_qid><gid>1</gid><type>T</type><title>SQ2</title><question>Sad</question>
<question_order>2</question_order><language>en</language></row>
</rows></subquestions>
<answers><rows>
<row><qid>1</qid><code>A2</code><answer>Bad</answer><sortorder>2</sortorder><language>en</language></row>
<row><qid>1</qid><code>A1</code><answer><![CDATA[<b>Good</b>]]></answer><sortorder>1</sortorder><language>en</language></row>
<row><qid>1</qid><code>A1</code><answer>Gut</answer><sortorder>1</sortorder><language>de</language></row>
<row><qid>1</qid><code>A2</code><answer>Schlecht</answer><sortorder>2</sortorder><language>de</language></row>
</rows></answers>
<surveys><rows><row><sid>1</sid><language>en</language></row></rows></surveys>
</document>"""


def lss_question(qid: int, kind: str, title: str, text: str, language: str = "en") -> str:
    return (
        f"<row><qid>{qid}</qid><parent_qid>0</parent_qid><gid>1</gid><type>{kind}</type><title>{title}</title>"
        f"<question><![CDATA[{text}]]></question><question_order>{qid}</question_order><language>{language}</language></row>"
    )


def test_a_limesurvey_structure_file_of_old_is_imported(tmp_path: Path) -> None:
    rows = [
        lss_question(1, "L", "mood", "<p>How are you?</p>"),
        lss_question(1, "L", "mood", "Wie geht es?", "de"),
        lss_question(2, "Y", "vote", "Will you vote?"),
        lss_question(3, "M", "feel", "What have you felt?"),
        lss_question(4, "5", "life", "How satisfied?"),
        lss_question(5, "T", "why", "Why?"),
        lss_question(6, "L", "piped", "Is {mood.shown} right?"),
    ]
    path = tmp_path / "s.lss"
    path.write_text(LSS_OLD.format(questions="\n".join(rows)))
    found = import_file(path)
    items = {item.name: item for item in found.questionnaire.items}
    assert [(o.text, o.code) for o in items["mood"].options] == [("Good", "A1"), ("Bad", "A2")]
    assert [(o.text, o.code) for o in items["vote"].options] == [("Yes", "Y"), ("No", "N")]
    assert (items["feel"].type, [o.text for o in items["feel"].options]) == ("select_multiple", ["Happy", "Sad"])
    assert (items["life"].type, [o.value for o in items["life"].options]) == ("scale", [1.0, 2.0, 3.0, 4.0, 5.0])
    assert "why (a text)" in found.left_out
    german = import_file(path, language="de")
    assert texts(german) == {"mood": ["Gut", "Schlecht"]}
    assert german.questionnaire.language == "de"


def lss_dual(qid: int, headers: tuple[str, str], second: tuple[str, str]) -> str:
    """Tables of an array with two scales as LimeSurvey writes them: two rows, answers by scale_id, headers."""
    rows = "".join(
        f"<row><qid>{qid}{at}</qid><parent_qid>{qid}</parent_qid><gid>1</gid><type>T</type><title>SQ{at}</title>"
        f"<question>{text}</question><question_order>{at}</question_order><language>en</language>"
        "<scale_id>0</scale_id></row>"
        for at, text in ((1, "police"), (2, "courts"))
    )
    answers = "".join(
        f"<row><qid>{qid}</qid><code>A{at}</code><answer>{text}</answer><sortorder>{at}</sortorder>"
        f"<language>en</language><scale_id>{scale}</scale_id></row>"
        for scale, texts_ in enumerate((("Little", "Much"), second))
        for at, text in enumerate(texts_, start=1)
    )
    attributes = "".join(
        f"<row><qid>{qid}</qid><attribute>dualscale_header{letter}</attribute><value>{text}</value>"
        "<language>en</language></row>"
        for letter, text in zip("AB", headers, strict=True)
        if text
    )
    return (
        "<document><LimeSurveyDocType>Survey</LimeSurveyDocType><languages><language>en</language></languages>"
        f"<questions><rows>{lss_question(1, 'G', 'sex', 'Your gender?')}{lss_question(qid, '1', 'trust', 'Trust in')}"
        f"</rows></questions><subquestions><rows>{rows}</rows></subquestions><answers><rows>{answers}</rows></answers>"
        f"<question_attributes><rows>{attributes}</rows></question_attributes></document>"
    )


@pytest.mark.parametrize(
    ("headers", "second"), [(("today", "a year ago"), ("Little", "Much")), (("", ""), ("Fallen", "Risen"))]
)
def test_gender_and_both_scales_of_a_limesurvey_array_are_imported(
    tmp_path: Path, headers: tuple[str, str], second: tuple[str, str]
) -> None:
    path = tmp_path / "s.lss"
    path.write_text(lss_dual(4, headers, second))
    found = import_file(path)
    assert found.left_out == ()
    first, both = ["Little", "Much"], list(second)
    assert texts(found) == {
        "sex": ["Female", "Male"],
        "trust_SQ1_1": first, "trust_SQ1_2": both, "trust_SQ2_1": first, "trust_SQ2_2": both,
    }  # fmt: skip
    asked = {item.name: item.wordings[0].text for item in found.questionnaire.items}
    assert asked["trust_SQ2_2"] == f"Trust in courts {headers[1]}".strip()
    assert [option.code for option in found.questionnaire.items[0].options] == ["F", "M"]


def test_limesurvey_questions_that_cannot_be_told_apart_or_worded_say_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "s.lss"
    path.write_text(lss_dual(4, ("", ""), ("Little", "Much")))
    assert import_file(path).left_out == (
        "trust (an array whose two scales have the same answers and no headers: give both a header in LimeSurvey)",
    )
    path.write_text(lss_dual(4, ("now", "then"), ("Little", "Much")).replace(">en<", ">fi<"))
    (left,) = import_file(path).left_out
    assert left.startswith(
        "sex (its answers are LimeSurvey's own (type G), known here in en and de only: make it a list"
    )


def test_a_limesurvey_question_of_today_with_an_array_is_imported(tmp_path: Path) -> None:
    def table(name: str, *rows: dict[str, str]) -> str:
        inner = "".join("<row>" + "".join(f"<{k}>{v}</{k}>" for k, v in row.items()) + "</row>" for row in rows)
        return f"<{name}><rows>{inner}</rows></{name}>"

    path = tmp_path / "q.lsq"
    path.write_text(
        "<document><LimeSurveyDocType>Question</LimeSurveyDocType><languages><language>en</language></languages>"
        + table("questions", {"qid": "7", "parent_qid": "0", "type": "F", "title": "trust"})
        + table(
            "subquestions",
            {"qid": "8", "parent_qid": "7", "type": "T", "title": "P", "question_order": "1"},
            {"qid": "9", "parent_qid": "7", "type": "T", "title": "C", "question_order": "2"},
        )
        + table(
            "question_l10ns",
            {"qid": "7", "question": "How much do you trust", "language": "en"},
            {"qid": "8", "question": "parliament?", "language": "en"},
            {"qid": "9", "question": "courts?", "language": "en"},
        )
        + table(
            "answers", {"aid": "1", "qid": "7", "code": "1", "sortorder": "1"}, {"aid": "2", "qid": "7", "code": "2"}
        )
        + table(
            "answer_l10ns",
            {"aid": "1", "answer": "A lot", "language": "en"},
            {"aid": "2", "answer": "Not at all", "language": "en"},
        )
        + "</document>"
    )
    found = import_file(path).questionnaire
    assert [(item.name, item.wordings[0].text) for item in found.items] == [
        ("trust_P", "How much do you trust parliament?"),
        ("trust_C", "How much do you trust courts?"),
    ]
    assert {option.text for option in found.items[0].options} == {"A lot", "Not at all"}


def qsf_question(qid: str, payload: dict[str, object]) -> dict[str, object]:
    return {"Element": "SQ", "PrimaryAttribute": qid, "Payload": {"QuestionID": qid, **payload}}


def test_a_qualtrics_file_is_imported_without_its_trash(tmp_path: Path) -> None:
    yes_no = {"1": {"Display": "Yes"}, "2": {"Display": "No"}}
    document = {
        "SurveyEntry": {"SurveyName": "Moods", "SurveyLanguage": "EN"},
        "SurveyElements": [
            {"Element": "BL", "Payload": [
                {"Type": "Default", "BlockElements": [{"QuestionID": f"QID{n}"} for n in (3, 1, 2, 5)]},
                {"Type": "Trash", "BlockElements": [{"QuestionID": "QID4"}]}]},
            qsf_question("QID1", {"DataExportTag": "vote", "QuestionType": "MC", "Selector": "SAVR", "QuestionText":
                "<strong>Will you vote?</strong>", "Choices": yes_no, "ChoiceOrder": ["2", "1"],
                "RecodeValues": {"1": "10", "2": "20"},
                "Language": {"DE": {
                    "QuestionText": "Wählen Sie?", "Choices": {"1": {"Display": "Ja"}, "2": {"Display": "Nein"}}}}}),
            qsf_question("QID2", {"DataExportTag": "feel", "QuestionType": "MC", "Selector": "MAVR",
                "QuestionText": "Felt?", "Choices": {
                    "1": {"Display": "Happy"}, "2": {"Display": "Sad"},
                    "3": {"Display": "None", "ExclusiveAnswer": True}}}),
            qsf_question("QID3", {"DataExportTag": "trust", "QuestionType": "Matrix", "Selector": "Likert",
                "SubSelector": "SingleAnswer", "QuestionText": "Trust", "Choices": {"1": {"Display": "courts"}},
                "Answers": {"1": {"Display": "A lot"}, "2": {"Display": "Little"}}, "AnswerOrder": [1, 2]}),
            qsf_question("QID4", {"DataExportTag": "old", "QuestionType": "MC", "Selector": "SAVR",
                "QuestionText": "Old?", "Choices": yes_no}),
            qsf_question("QID5", {"DataExportTag": "text", "QuestionType": "TE", "QuestionText": "Say more"}),
        ],
    }  # fmt: skip
    path = tmp_path / "s.qsf"
    path.write_text(json.dumps(document))
    found = import_file(path)
    assert texts(found) == {"trust_1": ["A lot", "Little"], "vote": ["No", "Yes"], "feel": ["Happy", "Sad", "None"]}
    items = {item.name: item for item in found.questionnaire.items}
    assert [option.code for option in items["vote"].options] == ["20", "10"]
    assert items["feel"].options[2].role == "exclusive"
    assert items["trust_1"].wordings[0].text == "Trust courts"
    assert found.left_out == ("text (a text)",)
    assert texts(import_file(path, language="de"))["vote"] == ["Nein", "Ja"]


DDI = """<?xml version="1.0" encoding="UTF-8"?>
<codeBook xmlns="ddi:codebook:2_5"><stdyDscr><citation><titlStmt><titl>Barometer</titl></titlStmt></citation></stdyDscr>
<dataDscr>
<var ID="V1" name="mood"><labl>Mood</labl><qstn><qstnLit>How are you?</qstnLit></qstn>
<catgry><catValu>1</catValu><labl>Good</labl><catStat type="freq">12</catStat></catgry>
<catgry><catValu>2</catValu><labl>Bad</labl></catgry>
<catgry><catValu>8</catValu><labl>Weiß nicht</labl></catgry>
<catgry missing="Y"><catValu>9</catValu><labl>No interview</labl></catgry></var>
<var ID="V2" name="age"><labl>Age</labl></var>
</dataDscr></codeBook>"""


def test_a_ddi_codebook_is_imported_with_its_missing_categories(tmp_path: Path) -> None:
    path = tmp_path / "c.xml"
    path.write_text(DDI, encoding="utf-8")
    found = import_file(path)
    (item,) = found.questionnaire.items
    assert item.wordings[0].text == "How are you?"
    assert [(o.text, o.code, o.role) for o in item.options] == [
        ("Good", "1", "substantive"), ("Bad", "2", "substantive"),
        ("Weiß nicht", "8", "nonresponse"), ("No interview", "9", "nonresponse"),
    ]  # fmt: skip
    assert found.left_out == ("age (no labelled answers)",)
    assert found.questionnaire.title == "Barometer"
    path.write_text("<DDIInstance xmlns='ddi:instance:3_3'/>")
    with pytest.raises(QuestionnaireError, match="DDI Lifecycle is not read"):
        import_file(path)


def test_a_surveyjs_form_is_imported(tmp_path: Path) -> None:
    form = {
        "title": {"default": "Moods", "de": "Stimmungen"},
        "pages": [
            {"elements": [
                {"type": "radiogroup", "name": "q1", "title": {"default": "How are you?", "de": "Wie geht es?"},
                 "choices": [{"value": 1, "text": {"default": "Good", "de": "Gut"}},
                             {"value": 2, "text": {"default": "Bad", "de": "Schlecht"}}]},
                {"type": "panel", "name": "p", "elements": [
                    {"type": "checkbox", "name": "q2", "title": "Felt?", "choices": ["Happy", "Sad"],
                     "showNoneItem": True}]},
                {"type": "rating", "name": "q3", "title": "How satisfied?", "rateMax": 3},
                {"type": "boolean", "name": "q4", "title": "Vote?"},
                {"type": "matrix", "name": "q5", "title": "Trust", "columns": ["High", "Low"],
                 "rows": [{"value": "c", "text": "courts"}]},
                {"type": "comment", "name": "q6"},
                {"type": "radiogroup", "name": "q7", "title": "Is {q1} right?", "choices": ["a", "b"]},
            ]},
        ],
    }  # fmt: skip
    path = tmp_path / "f.json"
    path.write_text(json.dumps(form))
    found = import_file(path)
    assert texts(found) == {
        "q1": ["Good", "Bad"], "q2": ["Happy", "Sad", "None"], "q3": ["1", "2", "3"], "q4": ["Yes", "No"],
        "q5_c": ["High", "Low"],
    }  # fmt: skip
    types = {item.name: item.type for item in found.questionnaire.items}
    assert (types["q2"], types["q3"]) == ("select_multiple", "scale")
    assert [part.partition(" ")[0] for part in found.left_out] == ["q6", "q7"]
    assert texts(import_file(path, language="de"))["q1"] == ["Gut", "Schlecht"]


def test_items_of_a_data_file_tell_answers_from_marks(tmp_path: Path) -> None:
    path = tmp_path / "w.sav"
    frame = pd.DataFrame({"agree": [1.0, -1.0], "mood": [1.0, 2.0], "nat": [1.0, 2.0]})
    labels = {
        "agree": {-2.0: "Strongly disagree", -1.0: "Disagree", 0.0: "Neither", 1.0: "Agree", 2.0: "Strongly agree"},
        "mood": {1.0: "Good", 2.0: "Bad", -99.0: "Split A", 7.0: "Filter 7"},
        "nat": {1.0: "Yes", -9.0: "Refused"},
    }
    ranges = {"mood": [{"lo": 7, "hi": 7}]}
    pyreadstat.write_sav(frame, str(path), variable_value_labels=labels, missing_ranges=ranges)
    found = import_file(path, scales=["agree"])
    items = {item.name: item for item in found.questionnaire.items}
    assert [option.value for option in items["agree"].options] == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert [(o.text, o.role) for o in items["mood"].options if o.role == "substantive"] == [
        ("Good", "substantive"), ("Bad", "substantive"),
    ]  # fmt: skip
    assert found.left_out == ("nat (fewer than two labelled answers)",)


def moods() -> Questionnaire:
    return load("britains-mood")


def test_a_questionnaire_goes_to_xlsform_and_qstn_and_comes_back(tmp_path: Path) -> None:
    found = load("government-approval")
    for name in ("q.xlsx", "q.csv"):
        export_file(found, tmp_path / name)
        back = import_file(tmp_path / name).questionnaire
        assert [item.name for item in back.items] == [item.name for item in found.items]
        for ours, theirs in zip(found.items, back.items, strict=True):
            assert {option.text for option in theirs.options} == {option.text for option in ours.options}
            assert theirs.wordings[0].text == ours.wordings[0].text.replace("{options}", "").strip()
    with (tmp_path / "q.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file))[:2] == ["questionnaire_item_id", "question_content"]


def test_yaml_goes_round_to_the_byte(tmp_path: Path) -> None:
    written = dumps(moods())
    (tmp_path / "q.yaml").write_text(written, encoding="utf-8")
    assert dumps(load(tmp_path / "q.yaml")) == written


def test_the_command_lists_formats_imports_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    listed = runner.invoke(app, ["questionnaire", "import", "--all-formats"])
    assert [line.split()[0] for line in listed.output.splitlines()] == list(FORMATS)
    languages(tmp_path / "f.xlsx", default_language="English (en)")
    done = runner.invoke(app, ["questionnaire", "import", "f.xlsx", "--to", "f.yaml", "--language", "fr"])
    assert done.exit_code == 0, done.output
    assert "left out: q2 (it has no label in French (fr))" in done.output
    done = runner.invoke(app, ["questionnaire", "export", "britains-mood", "--to", "m.xlsx"])
    assert done.exit_code == 0, done.output
    assert "not in it: britains-mood: " in done.output


def test_a_table_without_answers_or_ids_says_what_to_give(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text("questionnaire_item_id,question_content\n,parks\n2,roads\n")
    with pytest.raises(QuestionnaireError, match="give each with --option"):
        import_file(path)
    found = import_file(path, ["Good", "Bad"])
    assert texts(found) == {"2": ["Good", "Bad"]}
    assert found.left_out == ("row 2 (questionnaire_item_id is empty)",)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "{", "1: not valid JSON"),
        ("b.json", "[1]", "not a form of SurveyJS"),
        ("c.json", '{"pages": [null, {"elements": null}]}', "holds no question"),
        ("d.json", '{"elements": [{"type": "rating", "name": "r", "rateMax": "x"}]}', "r .a rating whose points"),
        ("e.json", '{"SurveyElements": []}', r"give it the ending \.qsf"),
        ("f.qsf", "{}", "not a survey file of Qualtrics"),
        ("g.qsf", '{"SurveyElements": [{"Element": "SQ", "Payload": null}]}', "holds no question"),
        ("h.lss", "<document/>", "not a structure file of LimeSurvey"),
        ("i.xml", "<a>", "cannot be read as XML"),
        ("j.xml", "<a/>", "no DDI Codebook"),
        ("k.xls", "", r"save it as \.xlsx"),
        ("l.pdf", "", r"cannot import \.pdf"),
        ("m.csv", "x,y\n1,2\n", "has the columns questionnaire_item_id"),
    ],
)
def test_files_that_are_not_what_they_seem_are_one_sentence(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(QuestionnaireError, match=words) as caught:
        import_file(tmp_path / name)
    assert "\n" not in str(caught.value)
