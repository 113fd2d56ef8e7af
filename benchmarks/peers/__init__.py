"""Environments of peers that cannot share ours, and the versions that they hold."""
