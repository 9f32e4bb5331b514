from .engine import probe as probe
from .engine import train as train
from .settings import Engine as Engine
from .settings import Name as Name
from .spark import build_weeks as build_weeks
