from .engine import probe as probe
from .engine import train as train
from .settings import Engine as Engine
