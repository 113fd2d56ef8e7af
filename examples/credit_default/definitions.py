"""The governed pipeline: a delivered file, the dataset made of it, a pinned split, and a model with its card.

    delivery -> applications -> training, holdout -> credit_default

``delivery`` is not governed: it puts whatever arrives in its place. The gate is on the way from there to
``applications``, and on every arrow after that.

The input is generated unless a file is given: by run config (``path`` of ``delivery``) or by the environment
variable ``CREDIT_DEFAULT_INPUT``. Once a file has arrived it stays until another does.
"""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pandas as pd
import pyarrow as pa
from pydantic import Field

from aims_pipelines import AimsResource, DatasetIOManager, governed_asset, governed_model, unadmitted_sensor
from aims_pipelines.core.digest import file_digest
from aims_pipelines.core.errors import BadInput
from aims_pipelines.measure.split import split_rows
from examples.credit_default.delivery import generate, land
from examples.credit_default.generator import parse_fault
from examples.credit_default.training import fit

INPUT = "CREDIT_DEFAULT_INPUT"
PROJECT = Path(__file__).parent

HOLDOUT = 0.3
"""Share of the applicants whose applications no model is ever fitted to."""


class Arrival(dg.Config):
    """What arrives. Without any of it, a file that is there already stays."""

    path: str = Field("", description=f"File to take, .parquet or .csv; by default that of {INPUT}.")
    rows: int = Field(100_000, ge=1, description="Rows to generate if no file is given.")
    seed: int = Field(1, ge=0, description="Seed of the generated rows.")
    fault: str = Field("", description="Fault to plant in generated rows, such as missing or missing=0.1.")
    anew: bool = Field(False, description="Generate even if a file is there already.")


@dg.asset(group_name="credit_default", kinds={"parquet"})
def delivery(config: Arrival, aims: AimsResource) -> dg.MaterializeResult[None]:
    """The file as it arrives: nobody has looked at it yet."""
    landing = aims.project.source_path("applications")
    given = config.path or os.environ.get(INPUT, "")
    try:
        if given:
            land(Path(given).expanduser(), landing)
        elif config.anew or config.fault or not landing.exists():
            planted = (parse_fault(config.fault),) if config.fault else ()
            today = datetime.now(UTC).date()
            generate(landing, config.rows, seed=config.seed, newest=today, planted=planted)
    except BadInput as error:
        raise dg.Failure(
            description=str(error), metadata={"aims/outcome": "bad input"}, allow_retries=False
        ) from None
    return dg.MaterializeResult(
        metadata={"file": dg.MetadataValue.path(str(landing)), "sha256": file_digest(landing)}
    )


@governed_asset(dataset="applications", deps=[delivery], group_name="credit_default", kinds={"parquet"})
def applications(aims: AimsResource) -> pa.Table:
    """Applications with their outcome, as delivered."""
    return aims.read_source("applications")


@governed_asset(dataset="training", deps=["holdout"], group_name="credit_default", kinds={"parquet"})
def training(applications: pa.Table) -> pa.Table:
    """What the model may be fitted to: the applications of 70 applicants of 100.

    Made after the holdout, because its gate asks that the two share no row.
    """
    return split_rows(applications, by=["applicant_id"], holdout=HOLDOUT)[0]


@governed_asset(dataset="holdout", group_name="credit_default", kinds={"parquet"})
def holdout(applications: pa.Table) -> pa.Table:
    """What the model is judged on: the other 30 of 100; an applicant is on one side for good."""
    return split_rows(applications, by=["applicant_id"], holdout=HOLDOUT)[1]


@governed_model(system="credit_default", group_name="credit_default", kinds={"scikitlearn", "mlflow"})
def credit_default(training: pd.DataFrame) -> object:
    """Default risk of consumer loans: a logistic regression that a credit officer can read."""
    return fit(training)


aims_resource = AimsResource(folder=str(PROJECT))

defs = dg.Definitions(
    assets=[delivery, applications, training, holdout, credit_default],
    sensors=[unadmitted_sensor()],  # reports what was materialised without passing a gate
    resources={"aims": aims_resource, "io_manager": DatasetIOManager(aims=aims_resource)},
)
