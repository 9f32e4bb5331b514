"""`ta validate`: every instrument on a study's posts, measured against the truth of its world.

Takes a study that is finished up to its series, gives ``validate/recovery/`` (validate.json, recovery.svg, .png). Knows
how each reference is made, not how recovery is computed.

    runs/<study>/validate/published-5e-06/   the published recipe at one learning rate: a variant
                          recovery/          what this stage publishes
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from temporal_adapters.ground.errors import ValidityError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.proof.validate.published import published
from temporal_adapters.proof.validate.recovery import Rules, known_weeks, measure
from temporal_adapters.proof.validate.references import (
    CEILING,
    PUBLISHED_SCORING,
    STUDY,
    Method,
    learning_rates,
    methods,
    own_words,
    swept,
)
from temporal_adapters.proof.validate.variants import Variant, answer
from temporal_adapters.proof.validate.world import read_series, require_world
from temporal_adapters.study.artifacts import (
    Expected,
    Manifest,
    RunFolder,
    Validated,
    digest_file,
    load_table,
    make,
    read_corpora,
    read_manifest,
)
from temporal_adapters.study.config import PUBLISHED_RATE, scientific
from temporal_adapters.worlds import KNOBS, QUESTION, TRUTH, labelled

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.study.config import Study

STAGE, VERSION = "validate", 3


def build(study: Study, run: RunFolder, listener: Listener = silent) -> Manifest:
    """Measure the recovery of a study and of its references; what is complete is skipped.

    Parameters
    ----------
    study, run
        A study with a world, finished up to its series. Its section `validate` says which references.
    listener
        Hears of the references' training.

    Raises
    ------
    ValidityError
        If the study has no world, or its series are missing.
    """
    require_world(study)
    ours, survey = read_series(study, run, QUESTION)
    variants = [published(study, run, rate) for rate in learning_rates(study)]
    for one in variants:
        answer(one, listener)
    wanted = expected(study, run, variants)

    def write(folder: Path) -> dict[str, int]:

        known = known_weeks(load_table(run.world / TRUTH), survey)
        found = _table(study, run, ours, variants, known)
        _write(found, folder)
        return {"n_methods": len(found.methods), "n_weeks": found.n_weeks}

    return make(wanted, write)


def expected(study: Study, run: RunFolder, variants: list[Variant]) -> Expected:
    """Return what the stage publishes from today's series of the study and its answered variants."""
    config: dict[str, Any] = {"validation": scientific(study.validation), "survey": study.survey is not None}
    config["words"] = {name: list(words) for name, words in own_words(study).items()}
    if study.simulate is not None:
        config["labelled"] = {name: value for name, value in scientific(study.simulate).items() if name in KNOBS}
        config["labelled"]["version"] = labelled.VERSION
    inputs = {"truth": digest_file(run.world / TRUTH), "series": digest_file(run.series_table)}
    inputs |= {corpus.path.name: corpus.sha256 for corpus in read_corpora(run)}
    for one in variants:
        for path in (one.run.answers_table, one.run.series_table):
            inputs[f"{one.name} {path.name}"] = digest_file(path)
    return Expected(run.validated, STAGE, VERSION, config, inputs)


def _table(study: Study, run: RunFolder, ours: pl.DataFrame, variants: list[Variant], known: pl.DataFrame) -> Validated:
    settings = study.validation
    rules = Rules(settings.block_weeks, settings.confidence, settings.max_lag)
    found = {one.name: _measured(one, known, rules) for one in methods(study, run, ours, variants)}
    sweep = {name: one for name, one in found.items() if name.startswith("published ")}
    rows = {name: one for name, one in found.items() if name not in sweep}
    if "published" in settings.references:
        rows["published"] = sweep[swept(PUBLISHED_RATE, PUBLISHED_SCORING)]
    if "published-best" in settings.references:
        name = max(sweep, key=lambda name: sweep[name]["mean"]["r"])
        rows["published-best"] = sweep[name] | {
            "what": f"{sweep[name]['what']}; the best of {len(sweep)}, chosen by the truth in its favour"
        }
    ceiling = found[CEILING]["mean"]["r"]
    for one in (*rows.values(), *sweep.values()):
        one["efficiency"] = round(one["mean"]["r"] / ceiling, 4) if ceiling > 0 else None
    return Validated(
        study=study.study,
        item=QUESTION,
        n_weeks=found[STUDY]["n_weeks"],
        ceiling=CEILING,
        confidence=settings.confidence,
        methods=rows,
        sweep={name: {key: one[key] for key in ("mean", "spread", "efficiency")} for name, one in sweep.items()},
    )


def _measured(method: Method, known: pl.DataFrame, rules: Rules) -> dict[str, Any]:
    try:
        found = measure(method.series, known, rules)
    except ValidityError as error:
        raise ValidityError(f"{method.name}: {error}") from None
    return {"what": method.what, "tokens": _tokens(method.adapters), **found}


def _tokens(adapters: Sequence[Path]) -> int | None:
    """Return the mean number of tokens with a loss per adapter, passes counted; None without adapters.

    The same posts in chunks have some more than as documents: there, the first token of a post is predicted as well.
    """
    manifests = [read_manifest(folder) for folder in adapters]
    found = [int(m.facts["n_tokens"]) for m in manifests if m is not None and "n_tokens" in m.facts]
    return round(sum(found) / len(found)) if found else None


def _write(found: Validated, target: Path) -> None:
    from temporal_adapters.proof.validate.figure import save

    found.write(target)
    save(found, target)


def read(run: RunFolder) -> Validated | None:
    """Return the published result of a run, None where there is none."""
    return Validated.read(run)
