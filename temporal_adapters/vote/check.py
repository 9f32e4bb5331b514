"""What a survey file and a mapping make of each other, before anything is computed.

Takes an examination, gives tables and sentences. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from temporal_adapters.study.config import Item, SurveyMapping
from temporal_adapters.vote.files import SurveyFile
from temporal_adapters.vote.items import complaint
from temporal_adapters.vote.respondents import Examination

if TYPE_CHECKING:
    import polars as pl


def codes_table(survey: SurveyFile, found: Examination) -> pl.DataFrame:
    """Return item, kind, column, code, label (the file's), words (the mapping's), n, share, status.

    One row per item and code found; `status` is ``answer``, ``missing`` or ``UNKNOWN``, or ``not found`` for a code
    that the mapping has and the file does not. Numbers without words of their own are summed up in one row.
    """
    import polars as pl

    mapping = found.respondents.mapping
    rows: list[dict[str, Any]] = []
    for item in mapping.items:
        column = found.columns[f"item {item.name}"]
        labels = survey.value_labels.get(column, {})
        total = sum(found.raw[item.name].values())
        for row in _item_rows(mapping, item, found):
            share = row["n"] / total if total else 0.0
            rows.append(
                {
                    "item": item.name,
                    "kind": item.kind,
                    "column": column,
                    "label": labels.get(row["code"], ""),
                    "share": share,
                    **row,
                }
            )
    order = ["item", "kind", "column", "code", "label", "words", "n", "share", "status"]
    return pl.DataFrame(rows).select(order)


def _item_rows(mapping: SurveyMapping, item: Item, found: Examination) -> Iterator[dict[str, Any]]:
    counts = dict(found.raw[item.name])
    language = mapping.languages[0]
    missing = {code for code in counts if mapping.is_missing(item, code)}
    unknown = {code for code in counts if code not in missing and complaint(item, code)}
    for code, words in item.answers.items():
        n = counts.pop(code, 0)
        yield {"code": code, "words": mapping.words(words, language), "n": n, "status": "answer" if n else "not found"}
    for code in sorted(counts):
        if code in missing or code in unknown:
            words = item.missing_answers.get(code, mapping.prompt.unknown)
            status = "UNKNOWN" if code in unknown else "missing"
            n = counts.pop(code)
            yield {
                "code": code,
                "words": "" if code in unknown else mapping.words(words, language),
                "n": n,
                "status": status,
            }
    if counts:
        values = sorted(counts, key=float)
        yield {
            "code": f"{values[0]} ... {values[-1]}",
            "words": f"{len(values)} numbers",
            "n": sum(counts.values()),
            "status": "answer",
        }


def items_table(found: Examination) -> pl.DataFrame:
    """Return item, column, n, n_missing, share_missing, when_missing."""
    import polars as pl

    mapping = found.respondents.mapping
    rows = []
    for item in mapping.items:
        counts = found.raw[item.name]
        missing = sum(n for code, n in counts.items() if mapping.is_missing(item, code))
        total = sum(counts.values())
        rows.append(
            {
                "item": item.name,
                "column": found.columns[f"item {item.name}"],
                "n": total - missing,
                "n_missing": missing,
                "share_missing": missing / total if total else 0.0,
                "when_missing": item.when_missing,
            }
        )
    return pl.DataFrame(rows)


def classes_table(found: Examination) -> pl.DataFrame:
    """Return vote, n, share, weighted_share; the last row counts respondents whose vote is missing."""
    import polars as pl

    frame = found.respondents.frame
    known = frame.filter(frame["vote"].is_not_null())
    total = float(known["weight"].sum()) or 1.0
    rows = []
    for name in found.respondents.mapping.labels:
        part = known.filter(known["vote"] == name)
        rows.append(
            {
                "vote": name,
                "n": part.height,
                "share": part.height / max(known.height, 1),
                "weighted_share": float(part["weight"].sum()) / total,
            }
        )
    rows.append({"vote": "(missing)", "n": frame.height - known.height, "share": None, "weighted_share": None})
    return pl.DataFrame(rows)
