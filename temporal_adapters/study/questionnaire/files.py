"""A questionnaire's file: where it lies, and which of the two formats it has.

Takes a path or a shipped name, gives a `Questionnaire` or `QuestionnaireError` with file:line. Knows no key and no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from temporal_adapters.ground import resources
from temporal_adapters.ground.errors import QuestionnaireError
from temporal_adapters.study.questionnaire.native import load_native
from temporal_adapters.study.questionnaire.records import Questionnaire
from temporal_adapters.study.questionnaire.twin import load_twin


def load(reference: str | Path, folder: Path = Path(), methods: Iterable[str] = ()) -> Questionnaire:
    """Read a questionnaire and check its rules.

    Parameters
    ----------
    reference
        Path of a ``.yaml`` or ``.csv`` file, relative to `folder`, or the name of a shipped questionnaire.
    folder
        Where relative paths begin.
    methods
        Scoring methods it will be used with (see `rules.problems`).

    Raises
    ------
    QuestionnaireError
        One sentence for the first problem, with file:line.
    """
    path = find(reference, folder)
    return load_twin(path, methods) if path.suffix.lower() == ".csv" else load_native(path, methods)


def find(reference: str | Path, folder: Path = Path()) -> Path:
    """Return the path of a questionnaire file: a path relative to `folder`, or a shipped name."""
    path = folder / Path(reference)
    if path.suffix.lower() in (".yaml", ".yml", ".csv"):
        if not path.is_file():
            shipped = ", ".join(resources.names("questionnaires"))
            raise QuestionnaireError(f"{path}: there is no such questionnaire file (shipped: {shipped})")
        return path
    return resources.path("questionnaires", str(reference))
