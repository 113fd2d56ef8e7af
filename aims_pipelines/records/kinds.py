"""Records of any kind, told apart by their ``kind``."""

from typing import Annotated

from pydantic import Field

from aims_pipelines.records.dataset_record import DatasetRecord
from aims_pipelines.records.policy_record import PolicyRecord
from aims_pipelines.records.system_record import SystemRecord

Record = Annotated[DatasetRecord | PolicyRecord | SystemRecord, Field(discriminator="kind")]
