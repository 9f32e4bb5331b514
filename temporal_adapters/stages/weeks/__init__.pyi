from .build import build as build
from .build import preview as preview
from .describe import describe as describe
from .plan import VERSION as VERSION
from .plan import expected as expected
