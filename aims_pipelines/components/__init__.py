"""The YAML face: governed datasets and models as components for ``dg``, without a line of Python for the gate."""

from aims_pipelines.components.dataset import GovernedDataset, Split
from aims_pipelines.components.model import GovernedModel

__all__ = ["GovernedDataset", "GovernedModel", "Split"]
