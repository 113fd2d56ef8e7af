"""Sensors that notice what went around the gate."""
