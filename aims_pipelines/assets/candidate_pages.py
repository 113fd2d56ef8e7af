"""Pages for people to look at, where a check of a candidate did not pass."""

from collections.abc import Callable
from dataclasses import dataclass

from aims_pipelines.checks.candidate import Candidate
from aims_pipelines.core.gate import Judgement
from aims_pipelines.core.verdict import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page beside the verdict of a check.

    Args:
        check: The check that did not pass.
        name: File name.
        shows: What it shows, to begin a sentence with.
        content: HTML.
    """

    check: str
    name: str
    shows: str
    content: bytes


def pages_of(candidate: Candidate, judgement: Judgement) -> tuple[Page, ...]:
    """Draw the page of each check that has one and did not pass."""
    kinds = {
        "drift": ("drift.html", "What drifted", _drift_page),
        "control_charts": ("charts.html", "The charts", _charts_page),
    }
    pages = []
    for verdict in judgement.verdicts:
        if verdict.check not in kinds or verdict.status is Status.PASS:
            continue
        name, shows, draw = kinds[verdict.check]
        content = _drawn(draw, candidate)
        if content is not None:
            pages.append(Page(check=verdict.check, name=name, shows=shows, content=content))
    return tuple(pages)


def _drawn(draw: Callable[[Candidate], bytes | None], candidate: Candidate) -> bytes | None:
    try:
        return draw(candidate)
    except Exception:  # noqa: BLE001 - a picture that cannot be drawn must not keep evidence from being written
        return None


def _drift_page(candidate: Candidate) -> bytes | None:
    """Evidently's report."""
    from aims_pipelines.checks.evidently_report import drift_report

    if candidate.reference is None:
        return None
    return drift_report(
        candidate.reference, candidate.profile, candidate.record, fewest=candidate.limits.min_group_size
    )


def _charts_page(candidate: Candidate) -> bytes | None:
    """The control charts that the record declares."""
    from aims_pipelines.checks.control_charts import charts_of
    from aims_pipelines.reports.chart_page import chart_page

    declared = candidate.record.control_charts
    if declared is None:
        return None
    page = chart_page(
        charts_of(candidate),
        source=f"dataset {candidate.record.id}",
        run_length=declared.run_length,
        day=candidate.now.date(),
    )
    return page.encode()
