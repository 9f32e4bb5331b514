"""Words of a study's analysis, put into those of any two series.

Takes texts about adapters, a survey and weeks, gives texts about two names and a unit. Knows no number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_UNITS = (("weekly", "ly"), ("weeks", "s"), ("week", ""))
_TAG = re.compile(
    r'(<script.*?</script>|<style.*?</style>)|((?:aria-label|title|alt)=")([^"]*)(")|(>)([^<]+)', re.DOTALL
)


@dataclass(frozen=True)
class Wording:
    """How two series are called.

    Attributes
    ----------
    first, second
        What stands for the adapters and for the survey.
    unit
        What stands for a week.
    days
        Day as the grid has it (ISO) -> what people call that step.
    kept
        Names that may hold any of these words and stay as they are.
    """

    first: str
    second: str
    unit: str = "week"
    days: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()

    def text(self, text: str) -> str:
        """Return plain text in these words."""
        return self._swapped(text, str)

    def page(self, html: str) -> str:
        """Return HTML with its texts and spoken labels in these words; names are escaped, markup and scripts stay."""
        from html import escape

        def swap(found: re.Match[str]) -> str:
            if found[1]:
                return found[1]
            if found[2]:
                return f"{found[2]}{self._swapped(found[3], escape)}{found[4]}"
            return f"{found[5]}{self._swapped(found[6], escape)}"

        return _TAG.sub(swap, html)

    def script(self, script: str) -> str:
        """Return the page's script with its sentences in these words."""
        for before, name in (
            ("adapters ${", self.first),
            ("the model leads", self.first),
            ("the survey leads", self.second),
        ):
            words = re.sub(r'[\\"`$<]', "", name)
            script = script.replace(before, f"{words} ${{" if before.endswith("{") else f"{words} leads")
        return script.replace("same week", f"same {self.unit}")

    def _swapped(self, text: str, escape: object) -> str:
        shown = escape if callable(escape) else str
        names = sorted({*self.kept, self.first, self.second, "temporal-adapters"} - {""}, key=len, reverse=True)
        hidden: dict[str, str] = {}

        def hide(word: str) -> str:
            mark = f"\ue000{len(hidden)}\ue001"
            hidden[mark] = word
            return mark

        for name in names:
            text = re.sub(rf"(?<!\w){re.escape(shown(name))}(?!\w)", lambda found: hide(found[0]), text)
        first, second = hide(shown(self.first)), hide(shown(self.second))
        for pattern, words in _patterns(first, second, self.unit):
            text = re.sub(pattern, words, text)
        text = re.sub(r"\d{4}-\d{2}-\d{2}", lambda day: self.days.get(day[0], day[0]), text)
        for mark, word in reversed(hidden.items()):
            text = text.replace(mark, word)
        return text


def _patterns(first: str, second: str, unit: str) -> Iterable[tuple[str, str]]:
    yield r" \(adapters: \w+\)", ""
    yield r"\badapters \(\w+\)", first
    yield r"\b(?:the )?(?:model|adapters) leads?\b", f"{first} leads"
    yield r"\bthe survey leads\b", f"{second} leads"
    yield r"\b(?:[Tt]he )?(?:model|adapters)\b", first
    yield r"\b(?:[Tt]he )?survey\b", second
    if unit != "week":
        for word, ending in _UNITS:
            yield rf"\b{word}\b", f"{unit}{ending}"
            yield rf"\b{word.capitalize()}\b", f"{unit}{ending}".capitalize()
