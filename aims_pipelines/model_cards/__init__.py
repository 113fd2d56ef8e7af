"""Model cards: collected from evidence, typed, rendered."""
