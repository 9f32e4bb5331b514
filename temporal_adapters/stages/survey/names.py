"""Names of options that change between waves: spellings are joined, renames are told.

Takes observations, gives them with one name per option, and sentences. Knows no questionnaire.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from temporal_adapters.ground.errors import SurveyError
from temporal_adapters.stages.survey.observations import Observations

_LEAST_SHARE_OF_WAVES = 0.9
"""Share of the waves that two options must cover together to be one that was renamed."""


@dataclass(frozen=True)
class Break:
    """An option that ends where another begins.

    Attributes
    ----------
    item, before, after
        Question, and the option before and after.
    last, first
        First days of fieldwork of the last wave with `before` and the first with `after`.
    """

    item: str
    before: str
    after: str
    last: date
    first: date

    @property
    def sentence(self) -> str:
        """What happened and what mends it."""
        return (
            f"break: {self.item} / {self.before!r} ends with the wave of {self.last}, {self.after!r} begins with that"
            f' of {self.first}; if they are one answer, set survey.aliases: {{"{self.before}": ["{self.after}"]}}'
        )


def fold(name: str) -> str:
    """Return a name without case, punctuation and doubled spaces: how names are compared."""
    text = unicodedata.normalize("NFKC", name).replace("’", "'").casefold()
    kept = re.sub(r"[^\w\s%<>+&/'-]", " ", text)
    return " ".join(re.sub(r"'", "", kept).split()) or " ".join(text.split())


def joined(observed: Observations, aliases: Mapping[str, Sequence[str]]) -> Observations:
    """Return the observations with the first spelling of every question and option, and what `aliases` joins.

    Raises
    ------
    SurveyError
        If two spellings stand beside each other in one wave: they are two answers or a mistake.
    """
    alias = {fold(other): option for option, others in aliases.items() for other in (option, *others)}
    pairs = list(observed.frame.select("item", "option").unique(maintain_order=True).iter_rows())
    items: dict[str, str] = {}
    options: dict[tuple[str, str], str] = {}
    renamed: dict[tuple[str, str], tuple[str, str]] = {}
    for item, option in pairs:
        one = items.setdefault(fold(item), item)
        other = alias.get(fold(option)) or options.setdefault((one, fold(option)), option)
        options.setdefault((one, fold(option)), other)
        renamed[item, option] = one, other
    if all(pair == names_ for pair, names_ in renamed.items()):
        return observed
    new = [renamed[pair] for pair in observed.frame.select("item", "option").iter_rows()]
    frame = observed.frame.with_columns(
        pl.Series("item", [item for item, _ in new], pl.String),
        pl.Series("option", [name for _, name in new], pl.String),
    )
    _refuse_together(observed.frame, frame)
    return replace(observed, frame=frame, notes=(*observed.notes, *_said(renamed)))


def _said(renamed: Mapping[tuple[str, str], tuple[str, str]]) -> list[str]:
    spellings: dict[str, list[str]] = {}
    for pair, chosen in renamed.items():
        for was, now in zip(pair, chosen, strict=True):
            if was != now:
                spellings.setdefault(now, []).append(was)
    return [
        f"{chosen!r} is also written {', '.join(repr(n) for n in dict.fromkeys(others))}: joined"
        for chosen, others in spellings.items()
    ]


def _refuse_together(before: pl.DataFrame, after: pl.DataFrame) -> None:
    key = ["wave", "start", "end", "house", "item", "option"]
    doubled = after.with_columns(before["option"].alias("was")).filter(after.select(key).is_duplicated())
    for _, part in doubled.group_by(key, maintain_order=True):
        written = part["was"].unique(maintain_order=True).to_list()
        if len(written) > 1:
            row = part.row(0, named=True)
            raise SurveyError(
                f"the wave of {row['start']} has both {written[0]!r} and {written[1]!r} for {row['item']}: they would"
                " be one answer; rename one of them in the file"
            )


def breaks(observed: Observations) -> list[Break]:
    """Return options of which one ends where the other begins, and that cover the question's waves together."""
    found = []
    for (item,), part in observed.frame.drop_nulls("value").group_by("item", maintain_order=True):
        waves = part["start"].unique().sort().to_list()
        starts = {
            str(name): sorted(set(days))
            for name, days in part.group_by("option", maintain_order=True).agg("start").iter_rows()
        }
        partial = {name: days for name, days in starts.items() if len(days) < len(waves)}
        for before, early in partial.items():
            for after, late in partial.items():
                if early[-1] < late[0] and len(early) + len(late) >= _LEAST_SHARE_OF_WAVES * len(waves):
                    found.append(Break(str(item), before, after, early[-1], late[0]))
    return found
