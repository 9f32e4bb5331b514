"""What reading a study's posts will take, before it is started.

Takes a study and its weeks, gives sentences. Loads a tokenizer, no weights.
"""

from __future__ import annotations

from temporal_adapters.stages.read.posts import cells, n_tokens, questions
from temporal_adapters.stages.read.stage import expected_weeks, sample, settings_of
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import RunFolder
from temporal_adapters.study.config import Study

_LOOKED_AT = 50  # posts of the first week from which tokens are counted


def preview(study: Study, run: RunFolder) -> list[str]:
    """Return posts, questions and tokens as lines for people."""
    from temporal_adapters.engines.model import load_tokenizer

    settings, weeks, tokenizer = settings_of(study), expected_weeks(study, run), load_tokenizer(study.model)
    asked = questions([questionnaire.load(name) for name in study.probe.questionnaires], tokenizer, settings.wordings)
    todo = [corpus for corpus, one in weeks if one.state != "done"]
    posts = sum(min(corpus.n_posts, settings.max_posts or corpus.n_posts) for corpus in todo)
    lines = [
        f"weeks:  {len(todo)} to read ({len(weeks) - len(todo)} of {len(weeks)} are done), {posts:,} posts",
        f"asked:  {len(cells(asked))} options of wordings, {len(asked)} forms after each post",
    ]
    if todo:
        texts = sample(todo[0], settings)["text"].to_list()[:_LOOKED_AT]
        nodes, rows = (count / len(texts) for count in n_tokens(tokenizer, texts, asked, settings))
        lines.append(f"tokens: about {nodes * posts:,.0f} in trees ({rows / nodes:.1f} times as many one by one)")
    return lines
