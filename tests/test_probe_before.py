"""Questions are tried on the tokenizer before anything is trained for them."""

from __future__ import annotations

import pytest
from tiny import save_tiny_base, tiny_tokenizer, write_weeks
from typer.testing import CliRunner

from temporal_adapters.cli import app
from temporal_adapters.ground.errors import ProbeError
from temporal_adapters.stages.probe.check import check_tokens, require_separable
from temporal_adapters.stages.probe.encode import Encoder
from temporal_adapters.stages.probe.plan import plan, repeated
from temporal_adapters.study import questionnaire
from temporal_adapters.study.artifacts import RunFolder

HEAD = """questionnaire: votes
language: en
choices:
  party:
{options}
items:
  - item: vote
    type: select_one
    choices: party
    wordings:
      - wording: plain
        text: "I vote for"
"""
CLINTON = "    - {text: Clinton, aliases: [Hillary, Hillary Clinton]}\n"
TRUMP = "    - {text: Trump}"
AMBIGUOUS = "    - {text: Hillary}\n    - {text: Hillary Clinton}"


def load(tmp_path, options, methods=("sequence",)):
    path = tmp_path / "votes.yaml"
    path.write_text(HEAD.format(options=options))
    return questionnaire.load(str(path), methods=methods)


def test_of_two_aliases_of_one_option_the_longer_is_left_out_and_named(tmp_path):
    found, tokenizer = load(tmp_path, CLINTON + TRUMP), tiny_tokenizer()
    forms = [ask.form for ask in plan(found, Encoder(tokenizer), ["sequence"])]
    assert forms == ["Clinton", "Hillary", "Trump"]
    (said,) = require_separable([found], tokenizer, ["sequence"])
    assert "'Hillary Clinton' is left out" in said and "counted in 'Hillary'" in said
    notes = [one for one in check_tokens(found, tokenizer, ["sequence"]) if "same option" in one.sentence]
    assert [one.level for one in notes] == ["note"]


def test_a_method_that_sees_where_an_answer_ends_keeps_both(tmp_path):
    found, encoder = load(tmp_path, CLINTON + TRUMP, ("sequence+end",)), Encoder(tiny_tokenizer())
    forms = [ask.form for ask in plan(found, encoder, ["sequence+end"])]
    assert forms == ["Clinton", "Hillary", "Hillary Clinton", "Trump"]
    assert repeated(found, encoder, ["sequence+end"]) == []


def test_the_share_of_an_option_does_not_count_its_longer_alias_twice(tmp_path):
    """Second source: the same questionnaire without the longer alias."""
    from temporal_adapters.engines.model import load_base
    from temporal_adapters.stages.probe.direct import answer
    from temporal_adapters.study.config.model import Model

    base = load_base(Model(base=str(save_tiny_base(tmp_path / "base")), device="cpu"))
    with_alias = answer(base, load(tmp_path, CLINTON + TRUMP), [], ["sequence"])
    without = answer(base, load(tmp_path, CLINTON.replace(", Hillary Clinton", "") + TRUMP), [], ["sequence"])
    assert with_alias["share"].to_list() == without["share"].to_list()
    assert with_alias["mass_valid"].to_list() == without["mass_valid"].to_list()


def test_options_of_which_one_begins_the_other_are_refused(tmp_path):
    with pytest.raises(ProbeError, match=r"'Hillary' are the beginning of those of 'Hillary Clinton'"):
        require_separable([load(tmp_path, AMBIGUOUS, ("trie",))], tiny_tokenizer(), ["sequence"])


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_ta_train_refuses_them_before_it_packs_or_trains_anything(tmp_path, more):
    base = save_tiny_base(tmp_path / "base")
    options = "    - {text: 'Yes'}\n    - {text: Yeah}"
    (tmp_path / "votes.yaml").write_text(HEAD.format(options=options))
    (tmp_path / "study.yaml").write_text(
        f"study: x\npanel: {{paths: [none.csv]}}\nmodel: {{base: {base}, device: cpu}}\n"
        "tokens: {block_length: 32}\ntrain: {steps: 1, r: 2, targets: [q_proj]}\n"
        "probe: {questionnaires: [votes.yaml], methods: [sequence+end, first]}\n"
    )
    run = RunFolder(tmp_path / "runs" / "x")
    write_weeks(run, [["a post of some length, and more of it"] * 4])
    argv = ["train", "--all", "--study", str(tmp_path / "study.yaml"), "--runs", str(tmp_path / "runs"), *more]
    shown = CliRunner().invoke(app, argv)
    assert isinstance(shown.exception, ProbeError) and "share a first token" in str(shown.exception)
    assert not (run.root / "tokens").exists() and not (run.root / "adapters").exists()
