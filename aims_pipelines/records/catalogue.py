"""The catalogue of controls of the package: clauses 4 to 10 and Annex A of ISO/IEC 42001:2023."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EDITION = "ISO/IEC 42001:2023"
SCHEMA = "aims.catalogue/v1"


class Control(BaseModel):
    """A control or clause: what it asks for and what evidence answers it, in our own words."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(description="Identifier in the standard, such as A.7.4 or 9.1.")
    label: str = Field(description="Short name.")
    intent: str = Field(description="What it is for.")
    automation: Literal["executed_control", "checked_record", "generated_report"] = Field(
        description="Whether code runs it, checks a person's record of it, or assembles it."
    )
    machine_evidence: Literal["full", "partial"] = Field(description="How much evidence needs no person.")
    max_age_days: int | None = Field(None, ge=1, description="How old evidence may be; None for clauses.")
    evidence: tuple[str, ...] = Field(min_length=1, description="What satisfies it.")
    gate: str = Field("", description="What is refused without it.")
    auditor_asks: str = Field(description="The question to be ready for.")
    nist_ai_rmf: tuple[str, ...] = Field(description="Related subcategories of the NIST AI RMF 1.0.")
    eu_ai_act: tuple[str, ...] = Field(description="Related articles of the EU AI Act.")


@cache
def catalogue() -> Mapping[str, Control]:
    """All controls by id, clauses first, in the order of the standard."""
    import yaml

    text = files("aims_pipelines.records").joinpath("catalogue.yaml").read_text(encoding="utf-8")
    content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    if content["schema"] != SCHEMA or content["standard"]["id"] != EDITION:
        raise ValueError(f"the catalogue is not {SCHEMA} of {EDITION}")
    controls = [
        Control.model_validate(
            {**entry, **{key: tuple(entry[key]) for key in ("evidence", "nist_ai_rmf", "eu_ai_act")}}
        )
        for entry in (*content["clauses"], *content["annex_a"])
    ]
    return MappingProxyType({control.id: control for control in controls})
