from .stage import VERSION as VERSION
from .stage import build as build
from .stage import expected as expected
