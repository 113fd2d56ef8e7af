"""Documents for people, made from what was measured and recorded."""
