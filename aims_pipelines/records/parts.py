"""What records of every kind are made of. One YAML file holds one record; unknown keys are faults.

Field descriptions become the JSON Schema that editors use, and the records reference.
"""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


Open = Annotated[float, Field(gt=0.0, lt=1.0, allow_inf_nan=False)]


Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100)]


Text = Annotated[str, Field(min_length=1)]


Scalar = str | int | float | bool


class Part(BaseModel):
    """Base of everything inside a record: immutable, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Accepted(Part):
    """A known shortfall that a person has looked at: shown, time-limited, and only as bad as measured."""

    check: str = Field(description="Name of the check, such as label_rate_gap.")
    target: str = Field(
        "", description="Target within the check, such as sex or sex=Female; empty for the whole."
    )
    measure: str = Field(
        description="What was measured, such as group rows: the figure alone would cover a shortfall of another kind.",
        min_length=1,
    )
    observed: float = Field(description="Value measured when it was accepted.", allow_inf_nan=False)
    tolerance: float = Field(
        0.0, ge=0, description="How much worse than observed it may become.", allow_inf_nan=False
    )
    reason: str = Field(min_length=1, description="Why it is acceptable for now.")
    review_by: date = Field(description="From this day on it is no longer accepted.")


class Envelope(Part):
    """What every record carries."""

    id: Identifier = Field(description="Unique among records of its kind.")
    title: str = Field(min_length=1, description="Name for people.")
    owner: str = Field(min_length=1, description="Role or party who answers for it.")
    controls: tuple[str, ...] = Field((), description="Catalogue ids that the record serves, such as A.7.4.")
    review_by: date | None = Field(None, description="Day on which the record is due for review.")
    rationale: str = Field("", description="Why it is as it is.")


def is_due(review_by: date | None, today: date) -> bool:
    """Whether the day of a review has come; what was accepted until that day is accepted no more on it."""
    return review_by is not None and review_by <= today
