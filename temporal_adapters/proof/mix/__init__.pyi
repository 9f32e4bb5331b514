from .stage import plan as plan
from .stage import read_summary as read_summary
from .stage import run as run
from .summary import sentences as sentences
