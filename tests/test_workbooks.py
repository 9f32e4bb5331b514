"""Workbooks made to hurt: every file is built here with zipfile and text, as no spreadsheet program would write it."""

from __future__ import annotations

import resource
import zipfile
from pathlib import Path

import openpyxl
import pytest

from temporal_adapters.ground.errors import PanelError, QuestionnaireError, SurveyError
from temporal_adapters.ground.workbooks import open_workbook
from temporal_adapters.stages.panel.files import open_sources
from temporal_adapters.stages.survey.cells import grids
from temporal_adapters.study.config import Panel
from temporal_adapters.study.questionnaire.formats import xlsform

PANEL = Panel(paths=(Path("posts.xlsx"),))
SHEET = "xl/worksheets/sheet1.xml"
HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
TAIL = "</sheetData></worksheet>"


def rewritten(path, write, part=SHEET):
    """Save a plain workbook and let `write` give the XML of a part to an open member."""
    book = openpyxl.Workbook()
    book.active.append(["date", "share"])
    plain = path.with_suffix(".plain")
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), part]):
            with new.open(name, "w", force_zip64=False) as file:
                write(file) if name == part else file.write(old.read(name))
    plain.unlink()
    return path


def refused_everywhere(path, match, panel_match=None):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SurveyError, match=match) as survey:
        grids(path)
    with pytest.raises(QuestionnaireError, match=match):
        xlsform.read(path)
    if panel_match:
        with pytest.raises(PanelError, match=panel_match):
            list(open_sources(path, PANEL))
    assert "\n" not in str(survey.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_a_small_workbook_of_a_gigabyte_is_refused_before_it_is_read(tmp_path):
    block = b"<row><c><v>1</v></c></row>" * 40_000

    def write(file):
        file.write(HEAD.encode())
        for _ in range(600):
            file.write(block)
        file.write(TAIL.encode())

    path = rewritten(tmp_path / "bomb.xlsx", write)
    assert path.stat().st_size < 3 << 20
    refused_everywhere(path, "more than 50 times its size", r"panel\.max_expansion")


@pytest.mark.parametrize(
    "body",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>' + TAIL,
        '<row r="1"><c r="A1"><v>1</v></c></row></sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'
        "</worksheet>",
        '<row r="1"><c r="XFD1"><v>1</v></c></row><row r="1048576"/>' + TAIL,
    ],
)
def test_one_cell_in_the_last_corner_or_a_merged_sheet_is_no_sheet_of_billions_of_cells(tmp_path, body):
    path = rewritten(tmp_path / "far.xlsx", lambda file: file.write((HEAD + body).encode()))
    refused_everywhere(path, "more than 4,000,000 cells")


@pytest.mark.parametrize(
    ("part", "root", "piece", "n"),
    [("xl/sharedStrings.xml", "sst", "<si><t>ab</t></si>", 8_000), ("xl/styles.xml", "styleSheet", "<xf/>", 2_000)],
)
def test_millions_of_strings_or_styles_are_refused_by_readers_that_stream_too(tmp_path, part, root, piece, n):
    head = f'<{root} xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'

    def write(file):
        file.write(head.encode())
        for _ in range(n):
            file.write(piece.encode() * 1_000)
        file.write(f"</{root}>".encode())

    path = rewritten(tmp_path / "many.xlsx", write, part)
    match = "more than .* strings, styles or links"
    with pytest.raises(PanelError, match=match):
        list(open_sources(path, PANEL))
    refused_everywhere(path, f"{match}|more than 50 times its size")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_in_a_workbook_are_a_sentence_whatever_its_encoding(tmp_path, encoding):
    lines = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(8))
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE worksheet [<!ENTITY a0 "ha">{lines}]>{HEAD}'
        f'<row r="1"><c r="A1" t="inlineStr"><is><t>&a8;</t></is></c></row>{TAIL}'
    )
    path = rewritten(tmp_path / "laughs.xlsx", lambda file: file.write(text.encode(encoding)))
    refused_everywhere(path, "document type or entities", "document type or entities")


def test_broken_xml_and_files_that_are_no_workbook_are_a_sentence(tmp_path):
    path = rewritten(tmp_path / "broken.xlsx", lambda file: file.write(b"<worksheet><sheetData>"))
    refused_everywhere(path, "damaged xlsx workbook", "damaged xlsx workbook")
    (tmp_path / "text.xlsx").write_text("date,share\n")
    refused_everywhere(tmp_path / "text.xlsx", "cannot be read as an xlsx workbook")
    with zipfile.ZipFile(tmp_path / "empty.xlsx", "w") as archive:
        archive.writestr("a.xml", "<a/>")
    refused_everywhere(tmp_path / "empty.xlsx", "cannot be read as an xlsx workbook")


def test_a_plain_workbook_with_merged_cells_is_opened(tmp_path):
    book = openpyxl.Workbook()
    for n in range(200):
        book.active.append([n, n / 8, "words"])
    book.active.merge_cells("A1:B1")
    book.save(tmp_path / "plain.xlsx")
    opened = open_workbook(tmp_path / "plain.xlsx", SurveyError)
    assert [row[1] for row in opened.active.iter_rows(values_only=True)][1:] == [n / 8 for n in range(1, 200)]
    assert len(list(open_sources(tmp_path / "plain.xlsx", PANEL))) == 1
