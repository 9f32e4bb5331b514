"""Token log-probs to answers: pure arithmetic, testable without a model.

Takes form scores, gives scores, shares, centred log-ratios, masses. Knows no model and no file.
"""

from temporal_adapters.engines.scoring.answers import Reference, Source, answer_rows, position_rows, scale_rows
from temporal_adapters.engines.scoring.methods import METHODS
from temporal_adapters.engines.scoring.records import FormScore

__all__ = ["METHODS", "FormScore", "Reference", "Source", "answer_rows", "position_rows", "scale_rows"]
