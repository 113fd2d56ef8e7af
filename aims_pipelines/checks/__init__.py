"""Checks that judge a candidate before it exists for anyone else."""
