"""A ready project for a table never seen before."""
