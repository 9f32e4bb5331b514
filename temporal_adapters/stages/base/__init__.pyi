from .check import Wanted as Wanted
from .check import examine as examine
from .stage import ensure as ensure
from .stage import ensure_study as ensure_study
