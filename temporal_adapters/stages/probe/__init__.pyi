from .stage import count_parameters as count_parameters
from .stage import expected as expected
from .stage import fill as fill
from .stage import load_questionnaires as load_questionnaires
from .stage import run as run
