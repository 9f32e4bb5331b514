"""temporal-adapters: weekly LoRA adapters as a survey instrument.

panel -> weeks -> adapters -> answers -> series -> lags -> report

    import temporal_adapters as ta

    run = ta.run("study.yaml")          # all stages; what is complete is skipped
    run.series, run.lags                # Polars frames
    ta.compare(x, y)                    # two weekly series, without any model
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
__all__ = ["__version__", *__all__]
__version__ = "0.2.0"
