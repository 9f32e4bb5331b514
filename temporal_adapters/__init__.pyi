from .front.ask import questionnaire as questionnaire
from .front.ask import score as score
from .front.compare import Comparison as Comparison
from .front.compare import compare as compare
from .front.power import Power as Power
from .front.power import power as power
from .front.runs import Run as Run
from .front.runs import open_run as open_run
from .front.runs import run as run
from .front.runs import status as status
from .front.standing import Standing as Standing
from .front.studies import load_study as load_study
from .ground.errors import TemporalAdaptersError as TemporalAdaptersError
from .study.config import Study as Study

__version__: str
