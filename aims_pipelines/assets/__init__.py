"""Governed assets: the gate on the path to the output."""
