"""Every error a user can meet.

Takes nothing, gives the exception classes, knows no stage.

    TemporalAdaptersError          one sentence: where, which value, what is allowed, what to change
    |- UsageError                  the command line itself is wrong (exit code 2)
    |- ConfigError                 a study file, survey mapping or experiment file
    |- TableError                  a table that breaks its schema
    |- ResourceError               a packaged query or config that does not exist
    |- ArtifactError               a run folder: broken, locked or incomplete results
    |- StorageError                a disk that is full, read-only or does not let us
    |- OutOfMemoryError            more memory was needed than there is
    |- QuestionnaireError          a questionnaire file
    |- ModelError                  a base model, tokenizer or adapter that cannot be loaded
    |- PanelError                  raw dumps of posts
    |- WeeksError                  splitting the panel into weekly corpora
    |- TokensError                 packing a corpus into token blocks
    |- TrainError                  fitting adapters
    |- ProbeError                  asking adapters the questions
    |- ReadError                   asking the base after each post
    |- ScoringError                log-probabilities to shares
    |- SurveyError                 survey trackers and waves
    |- SeriesError                 pooling answers into weekly series
    |- CorrelateError              lags, tests and plans
    |- ValidityError               reliability, placebo, nowcast
    |- VoteError                   the vote study
    |- SimulateError               worlds with a known truth
    |- MixError                    the mixing experiment
    |- ReportError                 figures and pages
    `- ScaleError                  Ray, SLURM and Spark

The command line prints these as one sentence with exit code 1 (`UsageError`: 2); anything else is a bug and keeps its
traceback.
"""

from __future__ import annotations


class TemporalAdaptersError(Exception):
    """Base class of every error that is the input's fault, not ours."""

    exit_code = 1


class UsageError(TemporalAdaptersError):
    """The command line asks for something that does not exist or contradicts itself."""

    exit_code = 2


class ConfigError(TemporalAdaptersError):
    """A study file (or another configuration file) breaks its rules."""


class TableError(TemporalAdaptersError):
    """A table lacks a column, has a wrong type, a duplicate key or a value out of range."""


class ResourceError(TemporalAdaptersError):
    """A packaged query or config of that name does not exist."""


class ArtifactError(TemporalAdaptersError):
    """A run folder holds something broken, locked or incomplete."""


class StorageError(TemporalAdaptersError):
    """A disk is full, read-only, out of inodes or quota, or does not let this user write."""


class OutOfMemoryError(TemporalAdaptersError):
    """More memory was needed than the machine, or a limit, gives."""


class QuestionnaireError(TemporalAdaptersError):
    """A questionnaire file breaks its rules."""


class ModelError(TemporalAdaptersError):
    """A base model, tokenizer or adapter cannot be loaded as asked."""


class PanelError(TemporalAdaptersError):
    """Raw dumps of posts cannot be read."""


class WeeksError(TemporalAdaptersError):
    """The panel cannot be split into the weeks asked for."""


class TokensError(TemporalAdaptersError):
    """A corpus cannot be packed into token blocks."""


class TrainError(TemporalAdaptersError):
    """Adapters cannot be fitted as asked."""


class ProbeError(TemporalAdaptersError):
    """Adapters cannot be asked the questions."""


class ReadError(TemporalAdaptersError):
    """Posts cannot be read as asked."""


class ScoringError(TemporalAdaptersError):
    """Log-probabilities cannot be turned into shares by the method asked for."""


class SurveyError(TemporalAdaptersError):
    """A survey file cannot be read or mapped to weeks."""


class SeriesError(TemporalAdaptersError):
    """Answers cannot be pooled into weekly series."""


class CorrelateError(TemporalAdaptersError):
    """Series cannot be correlated or tested as asked."""


class ValidityError(TemporalAdaptersError):
    """A validity figure cannot be computed from these series."""


class VoteError(TemporalAdaptersError):
    """The vote study cannot be run on this file, mapping or experiment."""


class SimulateError(TemporalAdaptersError):
    """A world cannot be simulated as asked."""


class MixError(TemporalAdaptersError):
    """The mixing experiment cannot be run on these posts or settings."""


class ReportError(TemporalAdaptersError):
    """A report cannot be made from this run."""


class ScaleError(TemporalAdaptersError):
    """A cluster cannot do what was asked."""
