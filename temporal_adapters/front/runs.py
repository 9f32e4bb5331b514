"""A study run, and what a run folder holds.

Takes a study or a run folder, gives records and frames. Computes nothing itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from temporal_adapters import line
from temporal_adapters.front.given import Given
from temporal_adapters.front.standing import Standing, standing
from temporal_adapters.front.studies import Reference, opened
from temporal_adapters.ground.errors import ArtifactError
from temporal_adapters.ground.progress import Listener, silent
from temporal_adapters.study.artifacts import Results, RunFolder, load_table, read_corpora
from temporal_adapters.study.config import Study

if TYPE_CHECKING:
    import polars as pl

    from temporal_adapters.scale import Engine


@dataclass(frozen=True)
class Run:
    """A run folder, read when asked: every attribute reads its file anew.

    Attributes
    ----------
    folder
        Where everything lies, ``runs/<study>``.

    Raises
    ------
    ArtifactError
        By every attribute whose stage has not been run.
    """

    folder: Path

    @property
    def files(self) -> RunFolder:
        """Paths of everything in it."""
        return RunFolder(self.folder)

    @property
    def posts(self) -> pl.LazyFrame:
        """Posts of all weeks: the columns of PANEL after `week` (first day); ``.collect()`` reads them."""
        import polars as pl

        corpora = read_corpora(self.files)
        parts = [pl.scan_parquet(one.path).select(pl.lit(one.start).alias("week"), pl.all()) for one in corpora]
        return pl.concat(parts)

    @property
    def weeks(self) -> pl.DataFrame:
        """Week (first day), label (``2023-W14``), n_posts, n_users; one row per week with a corpus."""
        import polars as pl

        rows = [(one.start, one.label, one.n_posts, one.n_users) for one in read_corpora(self.files)]
        return pl.DataFrame(rows, schema=["week", "label", "n_posts", "n_users"], orient="row")

    @property
    def answers(self) -> pl.DataFrame:
        """ANSWERS: one row per model, item, wording, order, method and option; share is a probability."""
        return _table(self.files.answers_table, "probe")

    @property
    def series(self) -> pl.DataFrame:
        """SERIES: source, item, option, week (first day), value, se, n."""
        return _table(self.files.series_table, "series")

    @property
    def lags(self) -> pl.DataFrame:
        """LAGS: item, option, lag in weeks (positive = the model leads), r, its interval, p, q, method."""
        return _table(self.files.lags_table, "correlate")

    @property
    def results(self) -> Results:
        """What ``lags/results.json`` holds: headline, facts, results (with both tests), plan, deviations."""
        path = self.files.lags / Results.FILE
        return Results.load(path) or _missing(path, "correlate")

    @property
    def sentences(self) -> list[str]:
        """The headline, whether the analysis was planned, and a sentence per result."""
        return _there(self.files.sentences, "correlate").read_text(encoding="utf-8").splitlines()

    @property
    def report(self) -> Path:
        """The page, for a browser."""
        return _there(self.files.report / "index.html", "report")


def _table(path: Path, stage: str) -> pl.DataFrame:

    return load_table(_there(path, stage))


def _there(path: Path, stage: str) -> Path:
    return path if path.is_file() else _missing(path, stage)


def _missing(path: Path, stage: str) -> NoReturn:
    raise ArtifactError(
        f'{path} does not exist: run the study as far as that (`ta run`, or `ta.run(study, until="{stage}")`)'
    )


def open_run(folder: str | Path) -> Run:
    """Open a run folder.

    Parameters
    ----------
    folder
        ``runs/<study>``; it may be moved or copied.

    Raises
    ------
    ArtifactError
        If there is no such folder.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> study = ta.load_study("demo", simulate={"n_weeks": 4, "gap_weeks": []})
    >>> made = ta.run(study, until="weeks")
    >>> run = ta.open_run("runs/demo")
    >>> run.weeks["label"].to_list()
    ['2023-W01', '2023-W02', '2023-W03', '2023-W04']
    """
    if not Path(folder).is_dir():
        raise ArtifactError(f"{folder}: there is no such run folder (one study's folder, such as runs/demo)")
    return Run(Path(folder))


def run(
    study: Reference,
    until: str | None = None,
    *,
    since: str | None = None,
    runs: str | Path | None = None,
    engine: Engine | None = None,
    listener: Listener = silent,
    say: line.Say = line.mute,
) -> Run:
    """Run the stages of a study in order; what is complete is skipped.

    Parameters
    ----------
    study
        A loaded study, the path of its file, or the name of a shipped one.
    until, since
        Last and first stage: simulate, weeks, pretrain, train, probe, series, correlate, recovery, report. Without
        them all stages that the study has.
    runs
        Folder of all runs, the study's is ``runs/<study>``; of a loaded study the one that it was loaded for.
    engine
        Where training and asking run (`temporal_adapters.scale.Engine`); None: on this machine.
    listener, say
        Hears of progress, and one sentence per stage, such as ``print``.

    Returns
    -------
    Run
        The run folder.

    Raises
    ------
    UsageError
        If there is no such stage.
    TemporalAdaptersError
        Whatever the stages raise; what was finished is kept.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> study = ta.load_study("demo", simulate={"n_weeks": 4, "gap_weeks": []})
    >>> run = ta.run(study, until="weeks", say=print)
    simulate: runs/demo/world
    weeks: 3883 posts in 4 weeks
    """
    loaded, folder = opened(study, runs)
    line.make(line.Work(loaded, folder, engine, listener, say), since=since, until=until)
    return Run(folder.root)


def status(study: Reference, *, runs: str | Path | None = None) -> Standing:
    """Say where a study stands: which stages and weeks x seeds are done, partial, stale or missing.

    Nothing is changed, and no model is loaded. ``print(ta.status(study))`` shows what `ta status` shows.

    Parameters
    ----------
    study
        A loaded study, the path of its file, or the name of a shipped one.
    runs
        Folder of all runs; of a loaded study the one that it was loaded for.

    Returns
    -------
    Standing
        Stages, grid of weeks and seeds, and `next`, the first stage that is not done.

    Examples
    --------
    >>> import temporal_adapters as ta
    >>> ta.status("demo", runs="nowhere").next.command
    'ta simulate --study demo --runs nowhere'
    """
    loaded, folder = opened(study, runs)
    named = "study.yaml" if isinstance(study, Study) else str(study)
    return standing(loaded, folder, Given(named, loaded.runs))
