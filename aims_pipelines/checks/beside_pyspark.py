"""Load Great Expectations where pyspark is installed too.

Great Expectations imports pyspark if it can. pyspark then warns of a pandas that nobody gives to it; and in a program
without a file (``python -c``, standard input), where the libraries of Spark Connect are absent, it takes the program
for its own doctests and ends it with exit code 0, in the middle of a judgement.
"""

import io
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib import import_module
from importlib.util import find_spec

_CONNECT = ("pyspark.sql.connect.dataframe", "pyspark.sql.connect.session")


@contextmanager
def beside_pyspark() -> Iterator[None]:
    """Inside, Great Expectations can be imported whatever of pyspark is installed."""
    loaded = "great_expectations" in sys.modules or find_spec("pyspark") is None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*does not yet fully support pandas", FutureWarning)
        halted = () if loaded or _connect_loads() else _CONNECT
        sys.modules.update(dict.fromkeys(halted))  # type: ignore[arg-type]  # None stops an import with ImportError
        try:
            yield
        finally:
            for name in halted:
                sys.modules.pop(name, None)


def _connect_loads() -> bool:
    try:
        with redirect_stderr(io.StringIO()):
            import_module(_CONNECT[0])
    except ImportError:
        pass  # the libraries it needs are not there, and Great Expectations goes on without
    except SystemExit:
        return False
    return True
