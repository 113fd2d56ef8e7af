"""The YAML face for dg."""
