"""A card survives being written and read, and equal cards are equal bytes."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aims_pipelines.model_cards.document import Figure, ModelCard


def test_a_card_reads_back_as_it_was_written(card):
    assert ModelCard.from_json(card.to_json()) == card


@given(
    value=st.floats(allow_nan=False, allow_infinity=False),
    text=st.text(alphabet=st.characters(codec="utf-8")),
)
def test_any_figure_and_any_text_survive(value, text):
    figure = Figure(name=text, value=value, low=value, high=value)
    card = _with_figure(figure)
    assert ModelCard.from_json(card.to_json()).figures == (figure,)


def test_whole_numbers_come_back_as_floats_where_floats_belong(card):
    figure = dataclasses.replace(card.figures[0], value=1.0, low=0.0, high=1.0)
    again = ModelCard.from_json(dataclasses.replace(card, figures=(figure,)).to_json())
    assert isinstance(again.figures[0].value, float)


@pytest.mark.parametrize(
    "corruption",
    [
        lambda data: data | {"format": "aims-model-card/0"},
        lambda data: data | {"surprise": 1},
        lambda data: {name: value for name, value in data.items() if name != "purpose"},
        lambda data: data | {"identity": "a model"},
    ],
    ids=["another format", "unknown key", "no purpose", "identity is text"],
)
def test_what_is_not_a_card_is_refused(corruption, card):
    data = corruption(json.loads(card.to_json()))
    with pytest.raises(ValueError, match="not a model card"):
        ModelCard.from_json(json.dumps(data).encode())


def _with_figure(figure):
    from aims_pipelines.model_cards.document import Identity, Plots, Purpose

    texts = dict.fromkeys(
        ("title", "owner", "purpose", "intended_use", "out_of_scope", "affected", "risk"), "x"
    )
    identity = Identity(
        name="m",
        digest="d",
        asset="a",
        trained_at="t",
        estimator="e",
        task="regression",
        label="y",
        features=("x",),
    )
    return ModelCard(
        identity=identity,
        purpose=Purpose(**texts),
        data=(),
        figures=(figure,),
        groups=(),
        plots=Plots(),
        checks=(),
        accepted=(),
        confidence=0.95,
        group_measure="mae",
    )
