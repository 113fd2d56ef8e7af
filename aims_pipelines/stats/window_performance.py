"""Windows of a model in service, and their labels held against their scores: alone, or small ones with neighbours."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from aims_pipelines.core.verdict import Finding, Status, worst
from aims_pipelines.stats.banding import level_order
from aims_pipelines.stats.calibration_map import CalibrationMap, Refusal, calibrate
from aims_pipelines.stats.estimates import Estimate
from aims_pipelines.stats.expected_performance import ExpectedPerformance, expected_performance
from aims_pipelines.stats.intervals import simultaneous
from aims_pipelines.stats.label_surprise import judge, surprises, tells
from aims_pipelines.stats.realised_performance import Measure, realised_performance
from aims_pipelines.stats.score_table import ScoreTable, merge_scores, of_known

Tables = Mapping[str, ScoreTable]
#: Most windows that one is judged together with.
_MOST_NEIGHBOURS = 24
# Errors and positives, each looked at twice: in a window alone, and once with its neighbours.
_TESTS_A_WINDOW = 4
_NO_GROUP = Refusal(
    reason="the reference has no rows of this group", remedy="Take a reference that holds such rows."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPerformance:
    """What is known of a window, or of a group in it.

    Args:
        name: How readers call the window.
        rows: Rows with a score.
        unscored: Rows without one.
        coverage: Share of the scored rows whose label is known; NaN without rows.
        mature: Whether that is enough to judge by.
        pending: Whether its labels are not due yet.
        realised: By measure, from the known labels.
        expected: What the scores let expect of all rows.
        findings: Judgements of the labels against the scores.
    """

    name: str
    rows: int
    unscored: int
    coverage: float
    mature: bool
    pending: bool
    realised: Mapping[Measure, Estimate]
    expected: ExpectedPerformance
    findings: tuple[Finding, ...]

    @property
    def status(self) -> Status:
        """The worst of its findings."""
        return worst(finding.status for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The terms on which windows are judged.

    Args:
        coverage: Share of a window's rows that must have a score, and of those that must have a label, in (0, 1].
        tolerance: Largest acceptable difference between labels and scores, a fraction in (0, 1).
        confidence: Coverage of the intervals of all judged windows together, in (0, 1).
    """

    coverage: float
    tolerance: float
    confidence: float


def learn(reference: ScoreTable, terms: Terms) -> CalibrationMap | Refusal:
    """Calibrate on a reference, if enough of its rows have scores and labels."""
    if refusal := _too_few_scores(reference, terms):
        return replace(refusal, remedy="Take a reference window whose rows were all scored.")
    if reference.rows and reference.coverage < terms.coverage:
        return Refusal(
            reason=f"{reference.coverage:.0%} of the reference's labels are known, {terms.coverage:.0%} are needed",
            rows_needed=math.ceil(terms.coverage * reference.rows),
            remedy="Take a reference window whose labels have come.",
        )
    return calibrate(reference)


def describe(
    name: str, table: ScoreTable, learnt: CalibrationMap | Refusal, terms: Terms
) -> WindowPerformance:
    """What is known of a window, which is not judged."""
    return WindowPerformance(
        name=name,
        rows=table.rows,
        unscored=table.unscored,
        coverage=table.coverage,
        mature=table.coverage >= terms.coverage,  # NaN is not
        pending=True,
        realised=realised_performance(table),
        expected=expected_performance(table, _too_few_scores(table, terms) or learnt),
        findings=(),
    )


def judge_windows(
    windows: Tables,
    learnt: CalibrationMap | Refusal,
    terms: Terms,
    *,
    pending: Collection[str],
    tested: int = 0,
    group: str = "",
) -> tuple[WindowPerformance, ...]:
    """Judge windows by their labels.

    A window with too few labels is judged together with those before it, or with later ones where none are before;
    unless its own figure, taken by itself, lies on the other side of the tolerance, or of zero. As many are taken as
    could show a difference of the tolerated size, whatever their labels are, so that each measure is looked at twice.
    A finding of several windows has the figure, interval and rows of all of them.

    Args:
        windows: By name, in order of time.
        learnt: What the reference says of scores.
        terms: Terms of judgement.
        pending: Names of windows that are not judged.
        tested: Windows that share the confidence; those judged here if fewer.
        group: The group that these are the windows of.
    """
    due = [name for name in windows if name not in pending]
    level = simultaneous(terms.confidence, _TESTS_A_WINDOW * max(tested, len(due)))
    told = {name: describe(name, table, learnt, terms) for name, table in windows.items()}
    known = {name: of_known(windows[name]) for name in due if told[name].mature}
    unlike = {name for name in known if _too_few_scores(windows[name], terms)}
    for name in due:
        target = f"{name} ({group})" if group else name
        findings: tuple[Finding, ...] = (_immature(windows[name], terms, target),)
        if name in known and isinstance(learnt, Refusal):
            findings = (_open(target, learnt),)
        elif name in known and not isinstance(learnt, Refusal):
            others = {one: table for one, table in known.items() if one == name or one not in unlike}
            findings = _findings(name, others, _Asked(learnt=learnt, terms=terms, level=level, target=target))
        if refusal := _too_few_scores(windows[name], terms):
            findings = (*findings, _open(target, refusal, measure="share of rows with a score"))
        told[name] = replace(told[name], pending=False, findings=findings)
    return tuple(told.values())


def judge_groups(
    windows: Mapping[str, Mapping[str, Tables]],
    reference: Mapping[str, Tables],
    terms: Terms,
    *,
    pending: Collection[str],
) -> dict[str, dict[str, tuple[WindowPerformance, ...]]]:
    """Judge windows within groups, each calibrated on its own rows of the reference.

    Args:
        windows: By window, grouping and level.
        reference: By grouping and level.
        terms: Terms of judgement.
        pending: Names of windows that are not judged.
    """
    tested = sum(
        len(levels)
        for name, groupings in windows.items()
        if name not in pending
        for levels in groupings.values()
    )
    found: dict[str, dict[str, tuple[WindowPerformance, ...]]] = {}
    for grouping in dict.fromkeys(one for groupings in windows.values() for one in groupings):
        parts = {name: groupings.get(grouping, {}) for name, groupings in windows.items()}
        found[grouping] = {}
        for level in sorted({level for levels in parts.values() for level in levels}, key=level_order):
            own = reference.get(grouping, {}).get(level)
            found[grouping][level] = judge_windows(
                {name: levels[level] for name, levels in parts.items() if level in levels},
                _NO_GROUP if own is None else learn(own, terms),
                terms,
                pending=pending,
                tested=tested,
                group=f"{grouping} {level}",
            )
    return found


def _findings(name: str, known: Tables, asked: "_Asked") -> tuple[Finding, ...]:
    """The findings of a window; those that it is too small for are told together with its neighbours.

    Labels of neighbours are looked at once, for as few of them as are enough to tell, which their scores decide.
    Taking them in until something shows would look as often as there are neighbours, at the price of one look.
    """
    table = known[name]
    answers = {finding.measure: finding for finding in asked(table)}
    open_ones = {measure for measure, finding in answers.items() if finding.status is Status.INCONCLUSIVE}
    for count, neighbour in enumerate(_neighbours(name, list(known)), 2):
        if not open_ones:
            break
        table = merge_scores([table, known[neighbour]])
        for together in asked(table, sufficient=True):
            if together.measure in open_ones:
                open_ones.remove(together.measure)
                answers[together.measure] = _agreed(answers[together.measure], together, count)
    return tuple(answers.values())


def _agreed(alone: Finding, together: Finding, count: int) -> Finding:
    """What is found of a window with its neighbours, unless by itself it points elsewhere.

    Elsewhere is the other side of the tolerance; and, of windows that fail together, the other side of zero: one that
    is better than promised must not fail for neighbours that are worse.
    """
    assert alone.observed is not None and alone.limit is not None and together.observed is not None  # noqa: S101 - as judged
    failed = together.status is Status.FAIL
    if (abs(alone.observed) > alone.limit) is not failed or (
        failed and alone.observed * together.observed <= 0.0
    ):
        return alone
    return replace(together, reason=f"{together.reason}, over {count} windows")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Answers of a window's labels, or of those of several.

    Args:
        learnt: What the reference says of scores.
        terms: Terms of judgement.
        level: Coverage of each interval, in (0, 1).
        target: The window for people.
    """

    learnt: CalibrationMap
    terms: Terms
    level: float
    target: str

    def __call__(self, table: ScoreTable, *, sufficient: bool = False) -> tuple[Finding, ...]:
        """Hold labels against scores; of ``sufficient`` only the measures that there are labels enough to tell."""
        found = surprises(table, self.learnt)
        if isinstance(found, Refusal):
            return () if sufficient else (_open(self.target, found),)
        tolerance = self.terms.tolerance
        return tuple(
            judge(one, target=self.target, tolerance=tolerance, confidence=self.level)
            for one in found
            if not sufficient or tells(one, tolerance=tolerance, confidence=self.level)
        )


def _neighbours(name: str, names: Sequence[str]) -> Sequence[str]:
    """Windows before one, the nearest first, then those after it."""
    place = list(names).index(name)
    return [*reversed(names[:place]), *names[place + 1 :]][:_MOST_NEIGHBOURS]


def _immature(table: ScoreTable, terms: Terms, target: str) -> Finding:
    if not table.rows:
        return _open(target, Refusal(reason="there are no scored rows", remedy="Look for its predictions."))
    return _open(
        target,
        Refusal(
            reason=f"{table.coverage:.0%} of the labels are known, {terms.coverage:.0%} are needed",
            rows_needed=math.ceil(terms.coverage * table.rows),
            remedy="Wait for labels, or say that they are not due yet.",
        ),
    )


def _too_few_scores(table: ScoreTable, terms: Terms) -> Refusal | None:
    """Rows without a score may be like no others: what is found of the rest says nothing of them."""
    if not table.rows or table.scored >= terms.coverage:
        return None
    return Refusal(
        reason=f"{table.scored:.0%} of the rows have a score, {terms.coverage:.0%} are needed",
        remedy="Find out why the model scored no more of them, or leave out rows that it is not asked about.",
    )


def _open(target: str, refusal: Refusal, *, measure: str = "labels against scores") -> Finding:
    return Finding(
        target=target,
        measure=measure,
        status=Status.INCONCLUSIVE,
        reason=refusal.reason,
        rows_needed=refusal.rows_needed,
        remedy=refusal.remedy,
    )
