"""The same stages on more than one process: local workers, a Ray cluster, SLURM array jobs; the same SQL on Spark.

Takes a study and an engine's name, gives what the stage gives in one process. Knows no stage's content.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
