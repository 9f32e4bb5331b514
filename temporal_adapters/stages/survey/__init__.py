"""Survey trackers to weekly series.

Takes survey files of several layouts, gives a `SERIES` table in the survey's own names and what was noticed. Knows
nothing of adapters; questionnaires only to link names.
"""

from temporal_adapters.stages.survey.check import lines
from temporal_adapters.stages.survey.link import link
from temporal_adapters.stages.survey.observations import Observations
from temporal_adapters.stages.survey.read import read, read_observations
from temporal_adapters.stages.survey.weekly import to_weeks

__all__ = ["Observations", "lines", "link", "read", "read_observations", "to_weeks"]
