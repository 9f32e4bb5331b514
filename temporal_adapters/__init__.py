"""temporal-adapters: weekly LoRA adapters as a survey instrument.

panel -> weeks -> adapters -> answers -> series -> lags -> report
"""

__version__ = "0.2.0"
