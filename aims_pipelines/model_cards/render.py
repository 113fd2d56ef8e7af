"""A card as a self-contained HTML page and as Markdown with the metadata that model hubs read.

The same card gives the same bytes: nothing here asks for the time, the machine or the network.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from aims_pipelines.model_cards import plots, wording
from aims_pipelines.model_cards.document import SMALLEST_CELL, Comparison, GroupFigures, ModelCard, Rate

if TYPE_CHECKING:
    import jinja2

_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#])")
_HUB_METRICS = {"roc_auc": "roc_auc", "accuracy": "accuracy", "r2": "r_squared", "mae": "mae"}


def to_html(card: ModelCard) -> bytes:
    """Render one page that needs no other file, reads well on paper and holds no script."""
    from markupsafe import Markup

    drawn = [
        {"svg": Markup(svg), "caption": caption}  # noqa: S704 - our own SVG; every text in it is escaped
        for svg, caption in _plots(card)
    ]
    by_group = [
        {"attribute": attribute, "svg": Markup(_group_plot(card, attribute))}  # noqa: S704 - as above
        for attribute in wording.attributes(card)
    ]
    page = (
        _environment().get_template("card.html.j2").render(**_words(card), plots=drawn, group_plots=by_group)
    )
    return page.encode()


def to_markdown(card: ModelCard) -> bytes:
    """Render Markdown whose front matter model hubs understand."""

    def group_table(attribute: str) -> str:
        return _group_table([group for group in card.groups if group.attribute == attribute], card)

    text = (
        _environment()
        .get_template("card.md.j2")
        .render(
            **_words(card),
            front=_front_matter(card),
            attributes=wording.attributes(card),
            group_table=group_table,
        )
    )
    return (re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n").encode()


def summary(card: ModelCard) -> str:
    """A few paragraphs for places that show plain text only, such as a registry's version page."""
    parts = [f"{card.purpose.title}. {wording.verdict_line(card)}."]
    parts += [f"{answer.question} {' '.join(answer.sentences)}" for answer in wording.in_short(card)]
    return "\n\n".join(parts)


@cache
def _environment() -> "jinja2.Environment":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("aims_pipelines.model_cards"),
        autoescape=jinja2.select_autoescape(enabled_extensions=("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _markdown
    return environment


def _words(card: ModelCard) -> dict[str, Any]:
    return {
        "card": card,
        "day": card.identity.trained_at[:10],
        "short": wording.in_short(card),
        "verdict": wording.verdict_line(card),
        "decisions": wording.decisions(card),
        "needed": any(item.needed for item in card.accepted),
        "measure_name": wording.measure_name,
        "comparisons": {
            name: [_compared(item, card) for item in card.comparisons if item.attribute == name]
            for name in wording.attributes(card)
        },
        "number": wording.number,
        "interval": wording.interval,
        "confidence": wording.percent(card.confidence),
        "smallest": SMALLEST_CELL,
    }


def _compared(item: Comparison, card: ModelCard) -> dict[str, str]:
    """One line of the table that says how far apart groups are."""
    gap, ratio = item.gap, item.ratio
    required = [f"gap ≤ {wording.number(item.max_gap)}"] if item.max_gap is not None and gap else []
    required += [f"ratio ≥ {wording.number(item.min_ratio)}"] if item.min_ratio is not None and ratio else []
    return {
        "measure": wording.compared_measure(item.measure, card),
        "groups": f"{item.lowest} – {item.highest}" if item.highest else item.lowest,
        "gap": f"{wording.number(gap.value)} ({wording.interval(gap)})" if gap else "–",
        "ratio": f"{wording.number(ratio.value)} ({wording.interval(ratio)})" if ratio else "–",
        "required": ", ".join(required) or "measured only",
    }


def _plots(card: ModelCard) -> list[tuple[str, str]]:
    drawn: list[tuple[str, str]] = []
    positive, label = card.identity.positive, card.identity.label
    classification = card.identity.task == "classification"
    if card.plots.roc:
        drawn.append(
            (
                plots.roc(card.plots.roc),
                "The further the line bends to the upper left, the better it tells cases apart.",
            )
        )
    if card.plots.scores:
        axis = f"predicted probability of {positive}" if classification else f"error in {label}"
        caption = (
            "The less the two shapes overlap, the better it tells cases apart."
            if classification
            else "The narrower around zero, the better. The outermost bars hold everything beyond them."
        )
        drawn.append((plots.scores(card.plots.scores, positive=positive, axis=axis), caption))
    if card.plots.calibration:
        outcome = f"share of {positive}" if classification else label
        drawn.append(
            (
                plots.calibration(card.plots.calibration, outcome=outcome),
                "On the dashed line, predictions come true.",
            )
        )
    return drawn


def _group_plot(card: ModelCard, attribute: str) -> str:
    rows = [group for group in card.groups if group.attribute == attribute]
    name = wording.measure_name(card.group_measure)
    return plots.groups(rows, metric=name, positive=card.identity.positive)


def _group_table(rows: list[GroupFigures], card: ModelCard) -> str:
    columns = [("metric", wording.measure_name(card.group_measure))]
    if any(row.selection_rate for row in rows):
        columns += [
            ("selection_rate", f"predicted {card.identity.positive}"),
            ("true_positive_rate", "positives found"),
            ("false_positive_rate", "others wrongly flagged"),
        ]
    if any(row.precision for row in rows):
        columns.append(("precision", f"of those predicted {card.identity.positive}, right"))
    if any(row.calibration for row in rows):
        columns.append(("calibration", "came for each one promised"))
    lines = ["| group | cases | " + " | ".join(_markdown(title) for _, title in columns) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for row in rows:
        cells = [_cell(getattr(row, name)) for name, _ in columns]
        size = f"fewer than {SMALLEST_CELL}" if row.rows is None else f"{row.rows:,}"
        lines.append(f"| {_markdown(row.level)} | {size} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(rate: Rate | None) -> str:
    return "too few cases" if rate is None else f"{wording.number(rate.value)} ({wording.interval(rate)})"


def _front_matter(card: ModelCard) -> str:
    import yaml

    task = f"tabular-{card.identity.task}"
    holdout = next((use for use in card.data if use.role == "holdout"), None)
    metrics = [
        {
            "type": _HUB_METRICS.get(figure.name, figure.name),
            "name": wording.measure_name(figure.name),
            "value": round(figure.value, 6),
            "verified": False,  # the hub's own field: it did not run this evaluation
        }
        for figure in card.figures
    ]
    dataset = {"type": "tabular", "name": holdout.title if holdout else "holdout"}
    if holdout:
        dataset["revision"] = holdout.digest
    front = {
        "library_name": "sklearn",
        "pipeline_tag": task,
        "tags": ["sklearn", "skops", task, "iso-42001"],
        "model-index": [
            {
                "name": card.identity.name,
                "results": [{"task": {"type": task}, "dataset": dataset, "metrics": metrics}],
            }
        ],
    }
    return str(yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=110))


def _markdown(text: str) -> str:
    """Keep text from being read as markup; line breaks become spaces."""
    return _MARKDOWN_SPECIAL.sub(r"\\\1", " ".join(str(text).split()))
