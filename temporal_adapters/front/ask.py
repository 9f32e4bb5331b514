"""Questionnaires, and what a model answers to them without a study.

Takes names and paths, gives a `Questionnaire` or a frame. Knows no run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from temporal_adapters.study.questionnaire import Questionnaire, load

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.engines.model import Base


def questionnaire(reference: str | Path, *, methods: Sequence[str] = ()) -> Questionnaire:
    """Read a questionnaire and check its rules.

    Parameters
    ----------
    reference
        Path of a ``.yaml`` or ``.csv`` file, or the name of a shipped questionnaire.
    methods
        Scoring methods that it must suit.

    Raises
    ------
    QuestionnaireError
        One sentence for the first problem, with file:line.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> mood = ta.questionnaire("britains-mood")
    >>> [option.text for option in mood.items[0].options][:3]
    ['Happy', 'Sad', 'Energetic']
    """
    return load(reference, methods=methods)


def score(
    model: str | Path | Base,
    questionnaire: str | Path | Questionnaire,
    adapters: Sequence[str | Path] = (),
    *,
    methods: Sequence[str] = ("sequence",),
    temperature: float = 1.0,
) -> pl.DataFrame:
    """Read off what a base model, and adapters on it, answer to a questionnaire; nothing is generated.

    Parameters
    ----------
    model
        ``demo``, a folder or a hub name; or a base that is loaded already.
    questionnaire
        A questionnaire, its path, or the name of a shipped one.
    adapters
        PEFT folders on that base, each asked alone.
    methods
        Names of scoring methods.
    temperature
        Of the softmax over the options of a question.

    Returns
    -------
    DataFrame
        ANSWERS: one row per model, item, wording, order, method and option. `share` is the option's probability among
        the substantive ones, `logprob` natural, `mass_valid` what the options hold together of all that the model
        could say; `clr` is relative to the mean option, `base_logprob` the base's.

    Raises
    ------
    ModelError, QuestionnaireError, ProbeError
        If the model or the questionnaire cannot be read, or a method fits no wording.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> answers = ta.score("demo", "demo-mood")
    >>> answers.height, answers["wording"].n_unique(), round(answers["share"].sum(), 6)
    (96, 8, 8.0)
    """
    from temporal_adapters.engines.model import Base, load_base
    from temporal_adapters.stages.probe import answer
    from temporal_adapters.study.config import Model

    asked = questionnaire if isinstance(questionnaire, Questionnaire) else load(questionnaire, methods=methods)
    base = model if isinstance(model, Base) else load_base(Model(base=str(model)))
    return answer(base, asked, [Path(folder) for folder in adapters], methods, temperature)
