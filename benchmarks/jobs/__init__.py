"""One module a job, run as ``python -m``: what is measured in a fresh process, ours and the peers' alike.

A peer's job imports its library and the standard library alone, since it runs in an environment of its own. Drift
jobs offer ``drifted``, which names the columns that a library flags at its defaults; decision quality is
measured with it, too.
"""
