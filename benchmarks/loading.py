"""What the plugin costs before anything runs, and what the gate costs an asset of a few rows."""

import statistics

from benchmarks.report import Goal, Report, Table
from benchmarks.timing import difference, printed, processes, ratio

ASSETS = 1_000

_IMPORT = """
import json, sys, time
start = time.perf_counter()
import dagster
{more}
print(json.dumps(time.perf_counter() - start))
heavy = {{"mlflow", "great_expectations", "evidently", "pandas", "sklearn", "matplotlib"}} & sys.modules.keys()
assert not heavy, heavy
"""
_PLUGIN = """
from aims_pipelines import AimsResource, DatasetIOManager, govern, governed_asset, governed_model, uncovered
import aims_pipelines.components
"""

_DEFINITIONS = """
import json, sys, time
import dagster as dg
from aims_pipelines import AimsResource, governed_asset
from aims_pipelines.checks.catalogue import DATASET_CHECKS

def plain(name):
    specs = [dg.AssetCheckSpec(c.name, asset=name, description=c.description, blocking=True) for c in DATASET_CHECKS]
    @dg.asset(name=name, check_specs=specs, required_resource_keys={{"aims"}}, metadata={{"aims/dataset": name}})
    def made(context):
        yield dg.Output(None)
    return made

def governed(name):
    @governed_asset(dataset=name, name=name)
    def made(context):
        return None
    return made

{kind}("warming")
start = time.perf_counter()
assets = [{kind}(f"dataset_{{i}}") for i in range({assets})]
defs = dg.Definitions(assets=assets, resources={{"aims": AimsResource(folder=".")}})
dg.Definitions.validate_loadable(defs)
print(json.dumps(time.perf_counter() - start))
"""

_TINY = """
import contextlib, json, pathlib, tempfile, time, warnings
import dagster as dg, pyarrow as pa
from aims_pipelines import AimsResource, governed_asset
from aims_pipelines.checks.catalogue import DATASET_CHECKS

warnings.simplefilter("ignore")
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "governance").mkdir()
(folder / "aims.toml").write_text("")
(folder / "source.txt").write_text("stands for a file")
(folder / "governance" / "policy.yaml").write_text('''
kind: policy
id: default
title: Limits
owner: Benchmark
status: in_force
effective_from: 2020-01-01
''')
(folder / "governance" / "tiny.yaml").write_text('''
kind: dataset
id: tiny
title: A few rows
owner: Benchmark
status: admitted
purpose: Measuring
source: {path: source.txt, licence: none needed, legal_basis: no personal data, origin: made here}
columns: {a: {type: integer}, b: {type: number}}
limits: {min_rows: 1, drift_inconclusive: accept}
review_by: 2099-01-01
''')

class Kept(dg.IOManager):
    def handle_output(self, context, obj): self.value = obj
    def load_input(self, context): return self.value

table = pa.table({"a": list(range(200)), "b": [x / 7 for x in range(200)]})

@dg.asset(name="tiny")
def plain():
    return table

@dg.asset(name="tiny", check_specs=[dg.AssetCheckSpec(c.name, asset="tiny", blocking=True) for c in DATASET_CHECKS])
def checked():
    yield dg.Output(table)
    for check in DATASET_CHECKS:
        yield dg.AssetCheckResult(check_name=check.name, passed=True)

@governed_asset(dataset="tiny", name="tiny", code_version="1")
def governed():
    return table

jobs = {
    name: dg.Definitions(
        assets=[asset], resources={"io_manager": Kept(), "aims": AimsResource(folder=str(folder))}
    ).resolve_implicit_global_asset_job_def()
    for name, asset in (("plain", plain), ("checked", checked), ("governed", governed))
}
quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
times = {name: [] for name in jobs}
with contextlib.ExitStack() as stack:
    instances = {name: stack.enter_context(dg.DagsterInstance.local_temp()) for name in jobs}
    for turn in range(TURNS + 2):
        for name, job in jobs.items():
            start = time.perf_counter()
            assert job.execute_in_process(instance=instances[name], run_config=quiet).success
            if turn >= 2:
                times[name].append(time.perf_counter() - start)
print(json.dumps(times))
"""


def run(*, quick: bool) -> Report:
    """Measure imports, loading of many definitions, and the gate on a tiny asset."""
    repeats = 1 if quick else 7
    imports = processes(
        {"dagster": _IMPORT.format(more=""), "dagster and the plugin": _IMPORT.format(more=_PLUGIN)},
        repeats=repeats,
    )
    assets = 100 if quick else ASSETS
    loading = processes(
        {
            "plain Dagster with the same check specs": _DEFINITIONS.format(kind="plain", assets=assets),
            "governed": _DEFINITIONS.format(kind="governed", assets=assets),
        },
        repeats=repeats,
    )
    turns = 2 if quick else 60
    taken: dict[str, list[float]] = printed("runs of a tiny asset", _TINY.replace("TURNS", str(turns)))
    tiny = {
        "plain asset": taken["plain"],
        "plain asset that answers 15 checks": taken["checked"],
        "governed asset": taken["governed"],
    }
    bare, plugin = imports.values()
    plain, governed = loading.values()
    asset, checked, gated = tiny.values()
    return Report(
        name="loading",
        title="Cost before anything runs, and on a tiny asset",
        tables=(
            _table("Import, fresh process", imports, bare),
            _table(f"Building and loading {assets:,} assets with 15 checks each", loading, plain),
            _table("One run of an asset of 200 rows (SQLite instance, in process)", tiny, asset),
        ),
        goals=(
            Goal(name="import beside Dagster", observed=difference(plugin, bare), limit=0.3, unit="s more"),
            Goal(
                name="loading, governed to plain",
                observed=ratio(governed, plain),
                limit=1.3,
                unit="times",
            ),
            Goal(
                name="gate on a tiny asset, beside plain Dagster that records as many checks",
                observed=1_000 * difference(gated, checked),
                limit=50,
                unit="ms more",
            ),
        ),
        notes=(
            f"Medians of {repeats} interleaved processes after one that warms caches; of the tiny asset, of {turns} "
            "interleaved runs in one process, the difference being the median over turns. The gate on it is held "
            "against a plain asset that records 15 passing checks: what recording them takes is Dagster's own "
            "(its SQLite event log), and the table shows it.",
        ),
    )


def _table(title: str, times: dict[str, list[float]], floor: list[float]) -> Table:
    return Table(
        title=title,
        columns=("", "median", "fastest", "beside the first"),
        rows=tuple(
            (name, _time(statistics.median(taken)), _time(min(taken)), f"{ratio(taken, floor):.2f}×")
            for name, taken in times.items()
        ),
    )


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1_000 * seconds:.0f} ms"
