from .check import lines as lines
from .link import link as link
from .observations import Observations as Observations
from .read import read as read
from .read import read_observations as read_observations
from .weekly import to_weeks as to_weeks
