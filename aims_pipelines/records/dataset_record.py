"""The dataset record: source, contract, protected attributes, and what is asked of every version."""

from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import Field

from aims_pipelines.records.parts import Accepted, Envelope, Fraction, Identifier, Part, Scalar, Text
from aims_pipelines.records.policy_record import Limits


class ColumnType(StrEnum):
    """What a column holds, whatever its storage."""

    INTEGER = "integer"
    NUMBER = "number"
    STRING = "string"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


class ColumnContract(Part):
    """What one column must look like."""

    type: ColumnType = Field(description="What the column holds.")
    description: str = Field("", description="Meaning, unit and origin, for people.")
    max_missing: Fraction = Field(0.0, description="Largest share of missing values, 0 to 1.")
    min: float | None = Field(None, description="Smallest valid number.", allow_inf_nan=False)
    max: float | None = Field(None, description="Largest valid number.", allow_inf_nan=False)
    allowed: tuple[Scalar, ...] | None = Field(None, description="The only valid values.")
    pattern: str | None = Field(None, description="Regular expression that every value must match in full.")
    max_invalid: Fraction = Field(
        0.0, description="Largest share of values outside min, max, allowed or pattern."
    )
    unique: bool = Field(False, description="Whether each value may occur only once.")
    feature: bool = Field(
        True, description="Whether a model may learn from it; if not, the search for proxies passes it over."
    )
    drift: bool = Field(
        True,
        description="Whether its drift and its outliers are judged; not for identifiers and times of events, which are "
        "others in every window.",
    )
    personal: bool = Field(
        False, description="Whether the column holds personal data (names, e-mail, numbers …)."
    )


class Label(Part):
    """The column to predict."""

    column: str = Field(description="Name of the label column.")
    positive: Scalar | None = Field(
        None, description="For classification: the value that is the favourable or flagged outcome."
    )
    task: Literal["classification", "regression"] = Field("classification", description="Kind of prediction.")


class Protected(Part):
    """An attribute whose groups must not be treated worse."""

    column: str = Field(description="Name of the column.")
    bands: tuple[float, ...] = Field((), description="Inner band edges, ascending, for a numeric column.")


class External(Part):
    """An origin outside: what the asset's own code reads, and whose bytes are not pinned by a digest."""

    kind: Literal["database", "api", "object_store", "stream"] = Field(description="What it is.")
    name: Text = Field(description="What people call it, such as 'core banking'.")
    locator: Text = Field(
        description="Where in it the data lies: address, table, query or prefix, without user, password or token."
    )
    retrieved_by: Text = Field(description="Job, role or service account that reads it.")


class Source(Part):
    """Where the data comes from and on what basis it may be used."""

    path: str | None = Field(None, description="File, relative to the project folder, or absolute.")
    external: External | None = Field(
        None,
        description="In place of a file: the database, API, object store or stream that it is read from.",
    )
    upstream: tuple[str, ...] = Field((), description="Governed assets it is derived from.")
    null_values: tuple[str, ...] = Field(
        (), description="Texts that mean 'missing' in a CSV file, besides the empty field."
    )
    sha256: str | None = Field(
        None,
        pattern=r"^sha256:[0-9a-f]{64}$",
        description="Pin: only a file with this digest is accepted (sha256: and 64 hex digits).",
    )
    licence: Text = Field(description="Licence or contract under which the data may be used.")
    legal_basis: Text = Field(description="Legal basis for the processing, or 'no personal data'.")
    origin: str = Field("", description="Who collected it, when and how.")


class ExpectationSuite(Part):
    """A Great Expectations suite of the user, run as is."""

    path: str = Field(description="Suite as JSON, relative to the records folder.")
    rows: int | None = Field(
        None, ge=1, description="Run on a sample of this many rows; the whole table if absent."
    )


class ControlCharts(Part):
    """Statistics that are watched over the published versions, so that what creeps is found."""

    statistics: tuple[Text, ...] = Field(
        min_length=1,
        description="What is charted, such as mean(amount) or share(region=north); see 'aims chart'.",
    )
    chart: Literal["ewma", "cusum", "shewhart"] = Field(
        "ewma", description="The first two find small lasting shifts, the last large sudden ones."
    )
    run_length: float = Field(
        370.0,
        ge=10.0,
        le=1e7,
        allow_inf_nan=False,
        description="Versions up to a false alarm of any of the charts, on average.",
    )
    reference: int = Field(
        10,
        ge=5,
        description="First versions, taken as in control; until there are as many nothing is judged.",
    )
    smoothing: float = Field(
        0.1, ge=0.01, le=1.0, allow_inf_nan=False, description="Of an ewma: weight of the newest version."
    )
    allowance: float = Field(
        0.5,
        ge=0.05,
        le=1.0,
        allow_inf_nan=False,
        description="Of a cusum: shift to let pass, in standard deviations.",
    )
    since: date | None = Field(
        None, description="Day on which the reference begins; versions published before are left out."
    )


class DatasetRecord(Envelope):
    """A dataset: its source, contract, protected attributes and limits."""

    kind: Literal["dataset"] = Field(description="Always dataset.")
    status: Literal["proposed", "admitted", "restricted", "expired", "erased"] = Field(
        description="Where it is in its life."
    )
    purpose: str = Field(min_length=1, description="What the data may be used for.")
    role: Literal["source", "derived", "training", "holdout", "operational"] = Field(
        "source", description="What part it plays in a pipeline."
    )
    asset: str | None = Field(
        None, min_length=1, description="Key of its asset, parts joined by '/'; the id if absent."
    )
    source: Source = Field(description="Where the data comes from and on what basis it may be used.")
    like: str | None = Field(
        None,
        description="Dataset whose columns, extra_columns, label, protected, intersections, pairs, subject and time "
        "apply here too, except for those written here.",
    )
    columns: dict[str, ColumnContract] = Field(
        default_factory=dict, description="The contract, column by column; required without 'like'."
    )
    extra_columns: Literal["refuse", "allow"] = Field("refuse", description="What undeclared columns mean.")
    label: Label | None = Field(None, description="The column to predict.")
    protected: tuple[Protected, ...] = Field((), description="Attributes whose groups are compared.")
    intersections: tuple[tuple[str, ...], ...] = Field(
        (), description="Protected attributes judged together."
    )
    pairs: tuple[tuple[str, str], ...] = Field(
        (),
        description="Pairs of columns, numbers or categories, whose dependence on each other must not drift.",
    )
    subject: str | None = Field(None, description="Column that identifies the person a row is about.")
    time: str | None = Field(None, description="Column with the event time.")
    disjoint_from: tuple[str, ...] = Field((), description="Datasets that must share no row with this one.")
    expectations: tuple[ExpectationSuite, ...] = Field(
        (), description="Great Expectations suites, run as they are."
    )
    control_charts: ControlCharts | None = Field(
        None, description="Statistics that are watched over the published versions; none if absent."
    )
    policy: Identifier = Field("default", description="Policy record whose limits apply.")
    limits: Limits | None = Field(None, description="Limits of this dataset that differ from its policy's.")
    accepted: tuple[Accepted, ...] = Field(
        (), description="Known shortfalls that a person accepted for a time."
    )
