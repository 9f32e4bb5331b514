"""The analysis, frozen before looking: what will be tested and how, and in what a later analysis differs.

Takes a study and its run folder, gives ``plan.json`` in the run folder and the list of deviations. Knows no test.

A plan may be frozen before any series exists: what is missing then is pinned by the first analysis. Each later
difference must be accepted with a reason; reasons are kept in the plan and printed with the results.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporal_adapters.ground.errors import CorrelateError, SurveyError
from temporal_adapters.ground.storage import private_folder
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import RunFolder, digest_file, digest_json, load_table, read_manifest
from temporal_adapters.study.config import Correlate, Study, scientific

VERSION = 2
_SHOWN_ONLY = ("shown_lags", "alternates", "confidence", "baselines")
"""Settings that decide nothing: they may change without being a deviation."""

_ALWAYS_MEANT = {"weeks.shift_days": 0, "weeks.window": None}
"""Settings that plans of before did not state, with what they were then."""


@dataclass(frozen=True)
class Deviation:
    """One difference between the plan and the analysis.

    Attributes
    ----------
    what
        Setting or series, such as ``correlate.lags``.
    planned, now
        Both values.
    reason, date
        Why it was accepted, and when; empty while it is not.
    """

    what: str
    planned: Any
    now: Any
    reason: str = ""
    date: str = ""


def analysis_of(study: Study) -> dict[str, Any]:
    """Return the settings that decide what is tested and how, as flat ``section.key`` values."""
    sections: dict[str, Mapping[str, Any]] = {
        "correlate": _deciding(study.correlate),
        "panel": {key: value for key, value in scientific(study.panel).items() if key != "paths"},
    }
    for name in ("weeks", "model", "tokens", "train", "probe", "series"):
        sections[name] = scientific(getattr(study, name))
    sections["weeks"] = {"shift_days": study.weeks.shift_days, "window": study.weeks.window, **sections["weeks"]}
    if study.survey is not None:
        sections["survey"] = {key: value for key, value in scientific(study.survey).items() if key != "paths"}
    flat = {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
    for reference in study.probe.questionnaires:
        asked = questionnaire.load(reference)
        flat[f"questionnaire {asked.name}"] = digest_json(_plain(asdict(asked)))
    return dict(_plain(flat))


def _deciding(settings: Correlate) -> dict[str, Any]:
    """Return what decides, files by their names."""
    found = {key: value for key, value in scientific(settings).items() if key not in _SHOWN_ONLY}
    return {**found, "adjust": list(settings.adjust_names)} if settings.adjust else found


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def data_hashes(study: Study, run: RunFolder) -> dict[str, str]:
    """Return survey files, weekly corpora and sources of series -> digest of their content; only of what there is."""
    found = {}
    if study.survey is not None:
        with contextlib.suppress(SurveyError):  # a survey may be fetched after the plan: then it is pinned later
            found = {f"survey file {path.name}": digest_file(path) for path in study.survey.files()}
    weeks = read_manifest(run.weeks)
    if weeks is not None:
        found["posts of the weeks"] = digest_json({name: entry["sha256"] for name, entry in weeks.outputs.items()})
    path = run.series_table
    if not path.is_file():
        return found

    frame = load_table(path).sort("source", "item", "option", "week")
    for (source,), part in frame.group_by("source", maintain_order=True):
        text = part.drop("source").write_csv().encode()
        found[f"series of {source}"] = hashlib.sha256(text).hexdigest()
    return found


def freeze(study: Study, run: RunFolder) -> Path:
    """Write the plan of a study.

    Raises
    ------
    CorrelateError
        If there is a plan already, or there is no survey to plan for.
    """
    if study.survey is None:
        raise CorrelateError("the study has no section `survey`: there is nothing to plan")
    path = run.plan
    if path.exists():
        raise CorrelateError(
            f"{path} was frozen on {read_plan(run)['created']}: a plan is made once (remove it to start over)"
        )
    written = {
        "version": VERSION,
        "created": _now(),
        "analysis": analysis_of(study),
        "data": data_hashes(study, run),
        "pinned": {},
        "deviations": [],
    }
    _write(path, {**written, "key": _key(written)})
    return path


def read_plan(run: RunFolder) -> dict[str, Any]:
    """Return the plan of a study; empty without one.

    Raises
    ------
    CorrelateError
        If the file is broken, or was changed by hand.
    """
    path = run.plan
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        key = found["key"]
    except (OSError, ValueError, KeyError, TypeError):
        raise CorrelateError(f"{path} is not a plan: restore it, or remove it and plan again") from None
    if key != _key(found):
        raise CorrelateError(f"{path} was changed after it was frozen: restore it, or remove it and plan again")
    return dict(found)


def deviations(study: Study, run: RunFolder) -> list[Deviation]:
    """Return every difference between the plan and the analysis of today, with the reasons given so far."""
    plan = read_plan(run)
    if not plan:
        return []
    accepted = {(entry["what"], json.dumps(entry["now"])): entry for entry in plan["deviations"]}
    found = []
    for what, planned, now in _differences(plan, study, run):
        entry = accepted.get((what, json.dumps(now)), {})
        found.append(Deviation(what, planned, now, entry.get("reason", ""), entry.get("date", "")))
    return found


def accept(study: Study, run: RunFolder, reason: str) -> list[Deviation]:
    """Record a reason for every deviation that has none yet.

    Raises
    ------
    CorrelateError
        If there is no plan, or no reason.
    """
    plan = read_plan(run)
    if not plan:
        raise CorrelateError(f"there is no plan to deviate from ({run.plan} does not exist)")
    fresh = [entry for entry in deviations(study, run) if not entry.reason]
    if not reason.strip():
        raise CorrelateError("a deviation from the plan needs a reason in words")
    dated = [Deviation(entry.what, entry.planned, entry.now, reason.strip(), _now()) for entry in fresh]
    if dated:
        plan["deviations"] += [asdict(entry) for entry in dated]
        _write(run.plan, plan)
    return dated


def require_planned(study: Study, run: RunFolder) -> list[Deviation]:
    """Return the accepted deviations.

    Raises
    ------
    CorrelateError
        If the analysis differs from the plan in a way that nobody has given a reason for.
    """
    found = deviations(study, run)
    silent = [entry for entry in found if not entry.reason]
    if silent:
        listed = "; ".join(f"{entry.what}: {_brief(entry.planned)} -> {_brief(entry.now)}" for entry in silent[:3])
        more = f" and {len(silent) - 3} more" if len(silent) > 3 else ""
        raise CorrelateError(
            f"the analysis differs from {run.plan}: {listed}{more};"
            ' go back to the plan, or say why with `ta correlate --deviate "reason"`'
        )
    return found


def _differences(plan: Mapping[str, Any], study: Study, run: RunFolder) -> list[tuple[str, Any, Any]]:
    planned, now = {**_ALWAYS_MEANT, **plan["analysis"]}, analysis_of(study)
    names: Sequence[str] = sorted({*planned, *now})
    found = [(name, planned.get(name), now.get(name)) for name in names if planned.get(name) != now.get(name)]
    hashes = data_hashes(study, run)
    fixed = {**plan["pinned"], **plan["data"]}
    return found + [(name, digest, hashes.get(name)) for name, digest in fixed.items() if hashes.get(name) != digest]


def pin(study: Study, run: RunFolder) -> None:
    """Fix the content of files and series that did not exist when the plan was frozen: the first analysis decides."""
    plan = read_plan(run)
    if not plan:
        return
    fresh = {
        name: digest
        for name, digest in data_hashes(study, run).items()
        if name not in plan["data"] and name not in plan["pinned"]
    }
    if fresh:
        plan["pinned"].update(fresh)
        _write(run.plan, plan)


def _brief(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _key(plan: Mapping[str, Any]) -> str:
    return digest_json({name: plan[name] for name in ("version", "created", "analysis", "data")})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, plan: Mapping[str, Any]) -> None:
    private_folder(path.parent)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(plan, indent=1, ensure_ascii=False), encoding="utf-8")
    partial.replace(path)
