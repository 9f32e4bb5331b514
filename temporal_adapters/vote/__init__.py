"""The vote study: survey answers to prompts and encodings, folds, models, honest comparisons, imputed data sets.

Takes a survey file, a mapping and an experiment, gives `VOTES`, tables, figures and completed data sets. Knows no panel
and no weekly adapter.

    files -> respondents    .sav, .dta, .csv, .parquet to columns of codes, to people with items, vote and weight
    check                   what a file and a mapping make of each other
    specimen                GLES-shaped files with a known truth
    folds                   conditions, splits, masks: tasks of a training part and a whole test part
    encode -> baselines     people to numbers, to class probabilities; choice: the shared own-party coefficient
    prompts -> tokenise -> language -> reading      people to text, to tokens, to fine-tuned adapters, to probabilities
    grid, experiment        conditions x models x folds on disk, and their computation, resumable
    metrics, inference      agreement, calibration, shares; bootstrap, corrected t, Holm, Rubin
    arrays -> summary, breakdowns, published -> figures -> page     votes to tables, to figures, to one page
    impute                  m completed data sets
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
