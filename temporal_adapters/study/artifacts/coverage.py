"""The document `panel/coverage.json`: how many of the posts that were asked for are in the raw files.

Takes and gives a file of a run folder. Holds counts only, never an id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from temporal_adapters.study.artifacts.documents import Document, Values
from temporal_adapters.study.artifacts.keys import digest_json
from temporal_adapters.study.artifacts.layout import RunFolder


@dataclass(frozen=True)
class Coverage(Document):
    """What `ta panel coverage` found.

    Attributes
    ----------
    panel
        Digest of the settings of the panel that was looked through; `is_of` compares.
    counted
        Day on which it was (ISO 8601).
    asked, found
        Ids asked for, and those in the raw files.
    weeks
        One object per week: week (its Monday, null if unknown), asked, found.
    users, users_without
        Users known by name, and those without any post found.
    shares
        Quantile (``0.1``, ``0.5``, ``0.9``) -> share found per user; empty where no user is known.
    """

    FILE: ClassVar[str] = "coverage.json"
    COMMAND: ClassVar[str] = "ta panel coverage"

    panel: str
    counted: str
    asked: int
    found: int
    weeks: Sequence[Values]
    users: int
    users_without: int
    shares: Values

    @classmethod
    def read(cls, run: RunFolder) -> Self | None:
        """Return the document of a run, None where there is none."""
        return cls.load(run.panel / cls.FILE)

    def is_of(self, settings: Values) -> bool:
        """Say whether it was counted under these settings of the panel."""
        return self.panel == digest_json(settings)
