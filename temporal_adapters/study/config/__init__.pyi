from .base import Section as Section
from .base import scientific as scientific
from .recipe import recipe as recipe
from .study import Study as Study
from .study import load_study as load_study
