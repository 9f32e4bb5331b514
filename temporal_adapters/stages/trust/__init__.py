"""How far a correlation can be trusted: reliability, agreement, specification, placebo, nowcast gain, stability.

Takes arrays of weekly values, gives records of figures. Knows no adapter and no survey file.
"""

from temporal_adapters.stages.trust.assess import Case, assess
from temporal_adapters.stages.trust.components import Components, components
from temporal_adapters.stages.trust.contrast import Contrast, compare, contrast
from temporal_adapters.stages.trust.measured import Halves, Measured, measure, noise
from temporal_adapters.stages.trust.nowcast import Nowcast, clark_west, diebold_mariano, gain
from temporal_adapters.stages.trust.placebo import Kind, Placebo, by_kind, rank
from temporal_adapters.stages.trust.placebo import sentence as placebo_sentence
from temporal_adapters.stages.trust.reliability import (
    Agreement,
    Corrected,
    agreement,
    disattenuate,
    sampling_reliability,
    spearman_brown,
)
from temporal_adapters.stages.trust.smoothing import Smoothed, local_level
from temporal_adapters.stages.trust.specification import Specification, curve
from temporal_adapters.stages.trust.stability import Stability, stability
from temporal_adapters.stages.trust.stage import expected, read, run
from temporal_adapters.stages.trust.uniformity import Uniform, Unrelated, uniform, unrelated

__all__ = [
    "Agreement",
    "Case",
    "Components",
    "Contrast",
    "Corrected",
    "Halves",
    "Kind",
    "Measured",
    "Nowcast",
    "Placebo",
    "Smoothed",
    "Specification",
    "Stability",
    "Uniform",
    "Unrelated",
    "agreement",
    "assess",
    "by_kind",
    "clark_west",
    "compare",
    "components",
    "contrast",
    "curve",
    "diebold_mariano",
    "disattenuate",
    "expected",
    "gain",
    "local_level",
    "measure",
    "noise",
    "placebo_sentence",
    "rank",
    "read",
    "run",
    "sampling_reliability",
    "spearman_brown",
    "stability",
    "uniform",
    "unrelated",
]
