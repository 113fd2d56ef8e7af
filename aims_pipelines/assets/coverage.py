"""Which assets no gate covers."""

import dagster as dg

from aims_pipelines.resources.asset_metadata import DATASET_METADATA, SYSTEM_METADATA


def uncovered(defs: dg.Definitions) -> list[dg.AssetKey]:
    """List the assets of a code location that can be materialised without any gate judging them.

    Meant for a test in the user's CI: ``assert uncovered(defs) == []``.

    Args:
        defs: The code location.

    Returns:
        Keys in alphabetical order. Assets that are only observed or external are not listed: nothing here
        materialises them.
    """
    graph = defs.resolve_asset_graph()
    return sorted(
        (
            key
            for key in graph.materializable_asset_keys
            if not {DATASET_METADATA, SYSTEM_METADATA} & graph.get(key).metadata.keys()
        ),
        key=lambda key: key.to_user_string(),
    )
