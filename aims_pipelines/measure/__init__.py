"""Rows to profiles: the Arrow kernel, and readers for files and frames."""
