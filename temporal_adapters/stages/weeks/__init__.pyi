from .build import build as build
from .describe import describe as describe
from .plan import VERSION as VERSION
from .plan import expected as expected
from .preview import preview as preview
