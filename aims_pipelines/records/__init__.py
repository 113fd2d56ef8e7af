"""Policy as reviewed files: ten kinds of YAML records, typed and cross-checked."""
