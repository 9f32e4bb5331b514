from .answers import Reference as Reference
from .answers import Source as Source
from .answers import answer_rows as answer_rows
from .answers import position_rows as position_rows
from .answers import scale_rows as scale_rows
from .methods import METHODS as METHODS
from .records import FormScore as FormScore
