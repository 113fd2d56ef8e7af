"""What becomes of a window, and what a change does to it: a truth table."""

import pytest

from aims_pipelines.core.replay import Answer, Basis, Effect, Outcome, Side, Window
from aims_pipelines.core.verdict import Status


def answer(check="drift", status=Status.PASS, *, gates=True, basis=Basis.REPLAYED):
    return Answer(check=check, status=status, gates=gates, basis=basis)


def side(*answers):
    return Side(answers=answers)


UNKNOWN = answer("validity", None, basis=Basis.UNKNOWN)
RULED_OUT = answer("leakage", None, gates=False)
SIDES = {
    Outcome.PASS: side(answer()),
    Outcome.FAIL: side(answer(status=Status.FAIL)),
    Outcome.INCONCLUSIVE: side(answer(status=Status.INCONCLUSIVE)),
    Outcome.UNKNOWN: side(answer(), UNKNOWN),
}


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        *((found, outcome) for outcome, found in SIDES.items()),
        (side(), Outcome.INCONCLUSIVE),
        (side(RULED_OUT), Outcome.INCONCLUSIVE),
        (side(answer(gates=False, status=Status.FAIL)), Outcome.INCONCLUSIVE),
        (side(answer(), answer("outliers", Status.FAIL, gates=False)), Outcome.PASS),
        (side(answer(), RULED_OUT), Outcome.PASS),
        (side(UNKNOWN, answer(status=Status.FAIL)), Outcome.FAIL),
        (side(UNKNOWN, answer(status=Status.INCONCLUSIVE)), Outcome.INCONCLUSIVE),
        (side(answer(basis=Basis.RECORDED)), Outcome.PASS),
        (side(answer(), answer("validity", None, gates=False, basis=Basis.UNKNOWN)), Outcome.PASS),
    ],
)
def test_the_outcome_is_that_of_the_gate_and_unknown_where_an_unknown_answer_could_shut_it(found, outcome):
    assert found.outcome is outcome


def window(before, after, **facts):
    return Window(name="e-1", digest="d", rows=1, let_stand=True, now=before, proposed=after, **facts)


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [
        (Outcome.PASS, Outcome.PASS, Effect.NONE),
        (Outcome.PASS, Outcome.FAIL, Effect.BLOCKED),
        (Outcome.PASS, Outcome.INCONCLUSIVE, Effect.BLOCKED),
        (Outcome.PASS, Outcome.UNKNOWN, Effect.UNKNOWN),
        (Outcome.FAIL, Outcome.PASS, Effect.RELEASED),
        (Outcome.INCONCLUSIVE, Outcome.PASS, Effect.RELEASED),
        (Outcome.FAIL, Outcome.INCONCLUSIVE, Effect.NONE),
        (Outcome.FAIL, Outcome.UNKNOWN, Effect.NONE),
        (Outcome.UNKNOWN, Outcome.PASS, Effect.NONE),
        (Outcome.UNKNOWN, Outcome.FAIL, Effect.UNKNOWN),
        (Outcome.UNKNOWN, Outcome.UNKNOWN, Effect.UNKNOWN),
    ],
)
def test_what_cannot_be_told_is_never_taken_for_no_effect(before, after, effect):
    assert window(SIDES[before], SIDES[after]).effect is effect


def test_without_a_proposal_the_rules_of_now_are_held_against_what_was_decided_then():
    found = window(SIDES[Outcome.FAIL], None, then=SIDES[Outcome.PASS])
    assert (found.before, found.after) == (SIDES[Outcome.PASS], SIDES[Outcome.FAIL])
    assert found.effect is Effect.BLOCKED
    assert window(SIDES[Outcome.FAIL], None).effect is Effect.BLOCKED  # nothing was judged before


def test_answers_that_turn_are_told_one_by_one_and_unknown_ones_are_not():
    before = side(answer("drift"), answer("schema", Status.FAIL), answer("outliers", Status.FAIL), UNKNOWN)
    after = side(
        answer("drift", Status.INCONCLUSIVE),
        answer("schema"),
        answer("outliers", Status.FAIL, gates=False),
        answer("validity", Status.FAIL),
        answer("proxies", Status.FAIL),
    )
    turned = {change.check: change.effect for change in window(before, after).changes}
    assert turned == {
        "drift": Effect.BLOCKED,
        "schema": Effect.RELEASED,
        "outliers": Effect.RELEASED,
        "proxies": Effect.BLOCKED,
    }
