"""Items, wordings, answer options: what is asked.

Takes YAML or CSV files, gives a `Questionnaire` of frozen records. Knows no tokenizer and no model. Reading files needs
pydantic and ruamel.yaml, the records need nothing.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
