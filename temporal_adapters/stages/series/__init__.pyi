from .grid import require_complete as require_complete
from .pool import SPREAD as SPREAD
from .pool import Pooled as Pooled
from .pool import Scale as Scale
from .pool import pool as pool
from .stage import build as build
from .stage import expected as expected
