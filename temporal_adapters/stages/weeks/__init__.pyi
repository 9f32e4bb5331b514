from .build import build as build
from .describe import describe as describe
from .drops import read_ids as read_ids
from .forget import coverage as coverage
from .forget import forget as forget
from .plan import VERSION as VERSION
from .plan import expected as expected
from .preview import preview as preview
