"""Questions put to every adapter: forward passes to token log-probs, then answers.

Takes adapters and questionnaires, gives ``logprobs/`` shards and ``answers/``. Knows neither posts nor survey.
"""

from temporal_adapters.stages.probe.stage import count_parameters, expected, fill, load_questionnaires, run

__all__ = ["count_parameters", "expected", "fill", "load_questionnaires", "run"]
