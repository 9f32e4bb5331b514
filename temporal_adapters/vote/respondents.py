"""Respondents: what a mapping makes of the columns of a survey file.

Takes a survey file and a mapping, gives one row per respondent: id, vote, weight and one code per item. Knows no model.

Nothing is guessed: a code that the mapping does not know is a problem, and any problem stops `load`.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from temporal_adapters.ground.errors import VoteError
from temporal_adapters.study.config import Column, SurveyMapping
from temporal_adapters.vote import items
from temporal_adapters.vote.files import SurveyFile, read_columns
from temporal_adapters.vote.items import Columns

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Respondents:
    """The respondents of one survey who pass its filters.

    Attributes
    ----------
    mapping
        How they were read.
    frame
        respondent_id (String), vote (String, null where it is missing), weight (Float64), excluded (list of String:
        classes that a missing vote certainly is not), period (String, if the mapping has one), then one String column
        of codes per item; numeric items hold the value, or ``.`` and the code where that means no answer.
    """

    mapping: SurveyMapping
    frame: pl.DataFrame

    def voters(self) -> Respondents:
        """Return those whose vote is known."""
        return Respondents(self.mapping, self.frame.filter(self.frame["vote"].is_not_null()))


@dataclass(frozen=True)
class Examination:
    """Everything that reading a file with a mapping found.

    Attributes
    ----------
    respondents
        Those who pass the filters; complete only if there are no problems.
    columns
        Place in the mapping (``target``, ``weight``, item name ...) -> name of the column in the file.
    raw
        Item name -> code after overrides and recoding -> n respondents.
    target
        Code of the target -> n respondents.
    filtered
        Filter -> n respondents left after it, in order; the first entry counts all rows.
    problems
        One sentence each; any of them stops `load`.
    notes
        One sentence each on things that deserve a look.
    """

    respondents: Respondents
    columns: Mapping[str, str]
    raw: Mapping[str, Mapping[str, int]]
    target: Mapping[str, int]
    filtered: Mapping[str, int]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def load(survey: SurveyFile, mapping: SurveyMapping) -> Respondents:
    """Return the respondents.

    Raises
    ------
    VoteError
        For the first problem that `examine` finds, with the number of further ones.
    """
    found = examine(survey, mapping)
    if found.problems:
        more = f" ({len(found.problems) - 1} more problems: see `ta vote check`)" if len(found.problems) > 1 else ""
        raise VoteError(f"{survey.path}: {found.problems[0]}{more}")
    return found.respondents


def examine(survey: SurveyFile, mapping: SurveyMapping) -> Examination:
    """Read a file with a mapping and collect what does not fit.

    Raises
    ------
    VoteError
        If the file lacks columns of the mapping: then it is another file.
    """
    import polars as pl

    names = resolve(survey, mapping)
    table = read_columns(survey, list(names.values())).with_row_index(_ROW, offset=1)
    table, filtered = _filter(table, mapping, names)
    columns: Columns = {place: table[name].to_list() for place, name in names.items()}
    problems: list[str] = []
    notes: list[str] = []
    votes = _votes(mapping, columns, problems)
    codes = {item.name: items.file_codes(item, columns) for item in mapping.items}
    for item in mapping.items:
        problems.extend(
            items.code_problems(mapping, item, codes[item.name], items.declared(survey, names[f"item {item.name}"]))
        )
    frame = pl.DataFrame(
        {
            "respondent_id": columns.get("id") or [str(row) for row in table[_ROW]],
            "vote": pl.Series(votes, dtype=pl.String),
            "weight": pl.Series(_weights(columns, problems, notes, table.height), dtype=pl.Float64),
            "excluded": pl.Series(_excluded(mapping, columns, votes, problems), dtype=pl.List(pl.String)),
            **_periods(mapping, columns, problems),
            **{
                item.name: pl.Series(items.values_of(mapping, item, codes[item.name]), dtype=pl.String)
                for item in mapping.items
            },
        }
    )
    problems.extend(_id_problems(frame, names.get("id")))
    frame = frame.filter(frame["vote"].ne_missing(_DROPPED))
    if mapping.target.drop:
        filtered[f"{mapping.target.column} not in {', '.join(mapping.target.drop)}"] = frame.height
    notes.extend(f"no respondent voted {name}" for name in mapping.labels if name not in set(votes))
    raw = {name: dict(Counter(found)) for name, found in codes.items()}
    target = dict(Counter(columns["target"]))
    return Examination(Respondents(mapping, frame), names, raw, target, filtered, problems, notes)


def _places(mapping: SurveyMapping) -> Iterator[tuple[str, Column]]:
    if mapping.id is not None:
        yield "id", Column(variable=mapping.id)
    if mapping.weight is not None:
        yield "weight", mapping.weight
    yield "target", mapping.target
    if mapping.target.turnout is not None:
        yield "turnout", mapping.target.turnout
    if mapping.period is not None:
        yield "period", mapping.period
    for number, known in enumerate(mapping.target.known):
        yield f"known {number}", known
    for number, rule in enumerate(mapping.filters):
        yield f"filter {number}", rule
    for item in mapping.items:
        yield f"item {item.name}", item
        for number, override in enumerate(item.overrides):
            yield f"item {item.name} override {number}", override


def resolve(survey: SurveyFile, mapping: SurveyMapping) -> dict[str, str]:
    """Return place in the mapping -> name of the column in the file.

    Raises
    ------
    VoteError
        If columns are missing, or a variable label fits several.
    """
    by_label: dict[str, list[str]] = {}
    for name, label in survey.columns.items():
        by_label.setdefault(_plain(label), []).append(name)
    found: dict[str, str] = {}
    lacking: list[str] = []
    for place, column in _places(mapping):
        if column.variable is not None:
            names = [column.variable] if column.variable in survey.columns else []
        else:
            names = by_label.get(_plain(column.variable_label or ""), [])
        if len(names) > 1:
            raise VoteError(
                f"{survey.path}: {column.column} of {place} fits {', '.join(names)}: name one by `variable`"
            )
        if names:
            found[place] = names[0]
        elif column.column not in lacking:
            lacking.append(column.column)
    if lacking:
        shown = ", ".join(lacking[:6]) + (" ..." if len(lacking) > 6 else "")
        raise VoteError(
            f"{survey.path}: is not the file that the mapping {mapping.survey!r} describes: it lacks "
            f"{len(lacking)} of its columns ({shown})"
        )
    return found


def _plain(label: str) -> str:
    text = " ".join(label.casefold().split())
    for umlaut, ascii_text in (("ä", "ae"), ("ö", "oe"), ("ü", "ue")):
        text = text.replace(umlaut, ascii_text)
    return text


def _filter(
    table: pl.DataFrame, mapping: SurveyMapping, names: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    import polars as pl

    left = {"all rows": table.height}
    for number, rule in enumerate(mapping.filters):
        before, name = table, names[f"filter {number}"]
        table = table.filter(pl.col(name).is_in(rule.keep))
        left[f"{rule.column} in {', '.join(rule.keep)}" + (f" ({rule.why})" if rule.why else "")] = table.height
        if not table.height:
            held = before[name].unique().sort().to_list()
            shown = ", ".join(held[:8]) + (" ..." if len(held) > 8 else "")
            raise VoteError(
                f"no respondent is left after the filter {rule.column} in {', '.join(rule.keep)}: it holds {shown}; "
                "change `keep` or name another column"
            )
    return table, left


def _votes(mapping: SurveyMapping, columns: Columns, problems: list[str]) -> list[str | None]:
    target = mapping.target
    known = {code: label.name for label in target.labels for code in label.codes}
    turnout = target.turnout
    absent = [turnout is not None and code in turnout.codes for code in columns.get("turnout", columns["target"])]
    votes: list[str | None] = []
    unknown: Counter[str] = Counter()
    for code, stayed_home in zip(columns["target"], absent, strict=True):
        if code in known:
            votes.append(known[code])
        elif code in target.drop:
            votes.append(_DROPPED)
        elif stayed_home and turnout is not None:
            votes.append(turnout.label)
        else:
            votes.append(None)
            if not mapping.missing.holds(code):
                unknown[code] += 1
    problems.extend(
        f"the target {target.column} holds the code {code} ({n} respondents), which the mapping does not know: "
        "add it to a label, to `drop` or to `missing.codes`"
        for code, n in sorted(unknown.items())
    )
    return votes


def _periods(mapping: SurveyMapping, columns: Columns, problems: list[str]) -> dict[str, list[str]]:
    if mapping.period is None:
        return {}
    unknown = Counter(code for code in columns["period"] if code not in mapping.period.codes)
    problems.extend(
        f"the period {mapping.period.column} holds the code {code} ({n} respondents), which is none of"
        f" {', '.join(mapping.period.codes)}: add it to `period.codes`, or filter these respondents"
        for code, n in sorted(unknown.items())
    )
    return {"period": columns["period"]}


def _excluded(
    mapping: SurveyMapping, columns: Columns, votes: list[str | None], problems: list[str]
) -> list[list[str]]:
    """Return, per respondent with a missing vote, the classes that the file rules out."""
    barred: list[set[str]] = [set() for _ in votes]
    for number, rule in enumerate(mapping.target.known):
        decisive = set(rule.codes)
        for row, code in enumerate(columns[f"known {number}"]):
            if code in decisive and votes[row] is None:
                barred[row].update(rule.never)
    nothing_left = sum(len(names) == len(mapping.labels) for names in barred)
    if nothing_left:
        problems.append(f"`target.known` leaves no class for {nothing_left} respondents whose vote is missing")
    return [[name for name in mapping.labels if name in names] for names in barred]


_DROPPED = "\0dropped"
_ROW = "\0row"
"""Row of the file: what stands for an id where there is none, so that imputed votes can be joined to the file."""


_MOST_WEIGHT = 1000  # published weights stay below 20 times the median


def _weights(columns: Columns, problems: list[str], notes: list[str], n: int) -> list[float]:
    if "weight" not in columns:
        return [1.0] * n
    weights: list[float] = []
    for code in columns["weight"]:
        try:
            weights.append(float(code))
        except ValueError:
            weights.append(-1.0)
    wrong = sum(not 0 <= weight < math.inf for weight in weights)
    if wrong:
        problems.append(
            f"the weight is missing, negative or not finite for {wrong} of {n} respondents: filter them or leave out"
            " `weight`"
        )
        return [1.0] * n
    if (
        max(weights, default=0.0)
        > _MOST_WEIGHT * statistics.median([weight for weight in weights if weight] or [0.0])
        > 0
    ):
        problems.append(
            f"one respondent has the weight {max(weights):g}, more than {_MOST_WEIGHT:,} times the median: every figure"
            " would be that person's; correct the file, or name another `weight`"
        )
    elif not any(weights):
        problems.append(f"the weight is 0 for all {n} respondents: name another `weight` or leave it out")
    elif 0.0 in weights:
        notes.append(f"{weights.count(0.0)} respondents have the weight 0 and count in no weighted figure")
    return [max(weight, 0.0) for weight in weights]


def _id_problems(frame: pl.DataFrame, column: str | None) -> Iterator[str]:
    doubled = frame.filter(frame["respondent_id"].is_duplicated())
    if doubled.height:
        yield (
            f"the respondent id {doubled['respondent_id'][0]!r} appears "
            f"{doubled['respondent_id'].to_list().count(doubled['respondent_id'][0])} times in {column}: "
            "ids must differ"
        )
