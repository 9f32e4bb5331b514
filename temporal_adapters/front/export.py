"""A replication bundle: everything of a study that may be shared and deposited, and nothing else.

Takes a finished study and its run folder, gives a folder. Posts, staged files, tokens and the world are never copied;
adapters only when asked, because they can remember posts. Paths and host names of this machine are left out.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from temporal_adapters import __version__
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.ground.storage import without_places
from temporal_adapters.study.artifacts import (
    Manifest,
    RunFolder,
    digest_file,
    load_table,
    read_manifest,
    write_manifest,
)
from temporal_adapters.study.artifacts.manifest import NAME
from temporal_adapters.study.config import Study

CONTENTS = "contents.json"
"""Every file of a bundle with its SHA-256."""

_WHOLE = ("answers", "series", "lags", "trust", "report")
_COUNTS_ONLY = ("weeks",)

_MEANING = {
    "week": "first day of the week",
    "seed": "random seed of the adapter",
    "adapter": "week and seed of the adapter, or base",
    "item": "question",
    "wording": "one way of asking it",
    "order": "order of the answer options",
    "method": "scoring method, or test",
    "option": "answer option",
    "role": "substantive, nonresponse or exclusive",
    "code": "code of the option in the survey",
    "value": "value of the option on its scale; in SERIES the week's value",
    "logprob": "log-probability of the option (natural logarithm), as its method scores it",
    "n_tokens": "tokens of the option",
    "share": "probability among the substantive options, 0 to 1",
    "clr": "centred log-ratio over the substantive options",
    "base_logprob": "the same under the base",
    "mass_valid": "probability of all substantive options together",
    "mass_nonresponse": "probability of the options of nonresponse together",
    "source": "adapters, or the name of the survey or baseline",
    "se": "standard error",
    "n": "respondents, or cells that were pooled",
    "lag": "weeks; positive where the model leads",
    "r": "correlation",
    "n_pairs": "pairs of weeks",
    "ci_low": "lower end of the interval",
    "ci_high": "upper end of the interval",
    "p": "p-value",
    "q": "p-value adjusted for the false discovery rate",
}


def export(study: Study, run: RunFolder, target: Path, *, adapters: bool = False) -> list[Path]:
    """Write the bundle of a finished study into a new folder.

    Parameters
    ----------
    study, run
        The study and its run folder, finished at least up to its series.
    target
        A folder that does not exist yet.
    adapters
        Copy the adapters, too. They can remember posts: share them as you would share the posts.

    Returns
    -------
    list of Path
        The files, relative to `target`.

    Raises
    ------
    ArtifactError
        If the series are missing, a file is not as it was written, or `target` exists.
    """
    if read_manifest(run.series) is None:
        raise ArtifactError(f"{run.series} does not exist: run `ta run` (or `ta series`) before `ta export`")
    if target.exists():
        raise ArtifactError(f"{target} exists: name a folder that does not")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write(study, run, partial, adapters)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())


def _write(study: Study, run: RunFolder, target: Path, adapters: bool) -> None:
    for name in _WHOLE:
        _copy(run.stage(name), target / name, whole=True)
    for name in _COUNTS_ONLY:
        _copy(run.stage(name), target / name, whole=False)
    for folder in sorted(path.parent for path in run.adapters.glob(f"*/seed-*/{NAME}")):
        if "." not in folder.name:
            _copy(folder, target / "adapters" / folder.relative_to(run.adapters), whole=adapters)
    for path in (run.plan, run.recovery):
        if path.is_file():
            shutil.copyfile(path, target / path.name)
    settings = without_places(study.model_dump(mode="json", exclude_none=True, by_alias=True))
    (settings.get("panel") or {}).pop("pseudonym_key", None)
    (target / "study.json").write_text(json.dumps(settings, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (target / "preregistration.md").write_text(_preregistration(study, run), encoding="utf-8")
    (target / "codebook.md").write_text("\n".join(_codebook(target)) + "\n", encoding="utf-8")
    (target / "environment.txt").write_text("\n".join(_environment()) + "\n", encoding="utf-8")
    (target / "README.md").write_text(_readme(study, adapters), encoding="utf-8")
    files = sorted(path for path in target.rglob("*") if path.is_file())
    contents = {path.relative_to(target).as_posix(): digest_file(path) for path in files}
    (target / CONTENTS).write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")


def _copy(folder: Path, target: Path, *, whole: bool) -> None:
    """Copy a finished folder, or only what its manifest says about it, without places of this machine."""
    manifest = read_manifest(folder)
    if manifest is None:
        return
    target.mkdir(parents=True)
    for name, entry in manifest.outputs.items() if whole else ():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, target / name)
        if digest_file(target / name) != entry["sha256"]:
            raise ArtifactError(f"{folder / name} is not the file that was written: run `ta verify`")
    write_manifest(target, _shareable(manifest, whole))


def _shareable(manifest: Manifest, whole: bool) -> Manifest:
    environment = {name: value for name, value in manifest.environment.items() if name not in ("host", "machine")}
    return replace(
        manifest,
        config=without_places(dict(manifest.config)),
        inputs=without_places(dict(manifest.inputs)),
        facts=without_places(dict(manifest.facts)),
        environment=environment,
        outputs=manifest.outputs if whole else {},
    )


def _preregistration(study: Study, run: RunFolder) -> str:
    """Return the frozen plan as the text of a preregistration; what was not frozen is said to be not."""
    from temporal_adapters.stages.correlate import read_plan

    plan: dict[str, Any] = read_plan(run)
    settings = study.correlate
    lines = [f"# Plan of the study {study.study}", ""]
    if plan:
        lines += [f"Frozen on {plan['created']} (key {plan['key']}), before the series were looked at.", ""]
    else:
        lines += ["The analysis was not frozen before looking; these are the settings that were used.", ""]
    lines += [
        f"- Lags, in weeks (positive where the model leads): {', '.join(map(str, settings.lags))}",
        f"- Family-wise error rate: {settings.alpha:g}; draws: {settings.draws}; seed: {settings.seed}",
        f"- Questionnaires: {', '.join(study.probe.questionnaires)}; scoring: {', '.join(study.probe.methods)}",
        f"- Excluded: {', '.join(settings.exclude) or 'nothing'}",
        "- Tests: co-movement of prewhitened changes (D), of levels against persistent noise (L); nothing is smoothed",
    ]
    if plan:
        lines += ["", "## Settings that were frozen", ""]
        lines += [f"- {name}: {json.dumps(value)}" for name, value in sorted(without_places(plan["analysis"]).items())]
        lines += ["", "## Deviations", ""]
        lines += [f"- {one['what']}: {one['reason']}" for one in plan["deviations"]] or ["None."]
    return "\n".join(lines) + "\n"


def _codebook(target: Path) -> Iterator[str]:
    yield "# Codebook"
    for path in sorted(target.rglob("*.parquet")):
        frame = load_table(path)
        yield ""
        yield f"## {path.relative_to(target).as_posix()} ({frame.height} rows)"
        yield ""
        yield "| column | type | missing | meaning |"
        yield "|---|---|---|---|"
        for name, kind in frame.schema.items():
            yield f"| {name} | {kind} | {frame[name].null_count()} | {_MEANING.get(name, '')} |"


def _environment() -> list[str]:
    """Return every installed distribution with its version, as pip reads it."""
    found = {one.name: one.version for one in importlib.metadata.distributions() if one.name}
    return [f"{name}=={version}" for name, version in sorted(found.items(), key=lambda pair: pair[0].lower())]


def _readme(study: Study, adapters: bool) -> str:
    held = "the adapters (they can remember posts: share them as you would the posts)" if adapters else "no adapters"
    return f"""# Replication bundle of the study {study.study}

Made by temporal-adapters {__version__}. It holds answers, series, lags, figures of trust, the report, what every stage
recorded about itself, and {held}. It holds no posts.

    pip install temporal-adapters=={__version__}      # environment.txt names every package and version
    ta run --study study.json                          # needs the posts: put their paths under panel.paths
    python -c "import temporal_adapters as ta; print(ta.open_run('.').series)"

`codebook.md` describes every column, `preregistration.md` the plan of the analysis; `{CONTENTS}` has the SHA-256 of all
files.
"""


def check_bundle(folder: Path) -> list[str]:
    """Return one sentence per file of a bundle that is missing, changed, unknown or not readable; empty if none."""
    try:
        known = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{folder / CONTENTS} cannot be read ({error}): this is no bundle of `ta export`"]
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {CONTENTS}
    found = [f"{name} is missing" for name in sorted(set(known) - there)]
    found += [f"{name} does not belong to the bundle" for name in sorted(there - set(known))]
    for name in sorted(there & set(known)):
        if digest_file(folder / name) != known[name]:
            found.append(f"{name} is not the file that was exported")
        elif name.endswith(".parquet"):
            load_table(folder / name)
    return found
