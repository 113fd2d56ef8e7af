"""Keys of the metadata by which governed assets are told from others."""

from typing import Final

DATASET_METADATA: Final = "aims/dataset"
SYSTEM_METADATA: Final = "aims/system"
