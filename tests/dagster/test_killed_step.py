"""A governed step killed at every write: the last version stays current, nothing is half there, the next run works."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Forks a child for each kill point, so that libraries are loaded once. The child dies by SIGKILL before its k-th
# statement, fsync or rename; a second child then looks at what is left and runs the asset again.
SCRIPT = '''
import json, os, signal, sys, warnings
from contextlib import suppress
from importlib import import_module
from pathlib import Path
warnings.simplefilter("ignore")

import dagster as dg
import numpy as np
import pandas as pd
import sqlalchemy as sa
from aims_pipelines import AimsResource, DatasetIOManager, governed_asset
from aims_pipelines.resources.project import load_project
from aims_pipelines.storage.ledger_audit import audit_ledger
import aims_pipelines.measure, aims_pipelines.storage.datasets, aims_pipelines.storage.evidence

folder = Path(sys.argv[1])
broken = sys.argv[2] == "refused"
LOGS = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def table(seed):
    draw = np.random.default_rng(seed)
    amount = draw.uniform(1, 900, 400).round(2)
    return pd.DataFrame(
        {"number": np.arange(400), "amount": amount, "colour": draw.choice(["red", "green", "blue"], 400)}
    )


def materialize(seed, spoil=False):
    @governed_asset(dataset="raw", name="raw")
    def raw() -> pd.DataFrame:
        made = table(seed)
        if spoil:
            made.loc[:150, "amount"] = None
        return made

    aims = AimsResource(folder=str(folder))
    return dg.materialize(
        [raw],
        resources={"aims": aims, "io_manager": DatasetIOManager(aims=aims)},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
        run_config=LOGS,
    ).success


def child(work):
    """Run in a fork; its result, or None if it was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        sys.stderr = open(os.devnull, "w")
        result = work()
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    data = b""
    while part := os.read(reading, 65536):
        data += part
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return None
    return json.loads(data)


def dying(seed, spoil, point):
    left = [point]

    def step():
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def work():
        fsync, replace = os.fsync, Path.replace
        os.fsync = lambda descriptor: (step(), fsync(descriptor))[1]
        Path.replace = lambda self, target: (step(), replace(self, target))[1]

        @sa.event.listens_for(sa.Engine, "before_cursor_execute")
        def before(connection, cursor, statement, parameters, context, many):
            if "aims.db" in str(connection.engine.url) and not statement.startswith(("SELECT", "PRAGMA")):
                step()

        @sa.event.listens_for(sa.Engine, "commit")
        def commit(connection):
            if "aims.db" in str(connection.engine.url):
                step()

        return materialize(seed, spoil)

    return work


def state():
    project = load_project(folder)
    head = project.store.head("raw")
    audit = audit_ledger(project.ledger, project.evidence)
    rows = project.store.read("raw", head.digest).num_rows if head else 0
    listed = {item.path for item in project.store.quarantine_list()}
    return {
        "head": [head.number, head.digest] if head else None,
        "rows": rows,
        "intact": audit.intact,
        "evidence": bool(head) and project.ledger.passing("raw", head.digest) is not None,
        "quarantine": all((project.locations.store / path).is_file() for path in listed),
    }


assert child(lambda: materialize(1)) is True
for name in child(lambda: (materialize(2, broken), list(sys.modules))[1]):  # what one child loads, none has to again
    with suppress(Exception):
        import_module(name)
before = child(state)
for point in range(400):
    outcome = child(dying(1 + point % 2, broken, point))
    after, again, final = child(lambda: (state(), materialize(1) if outcome is None else True, state()))
    print(json.dumps({"point": point, "killed": outcome is None, "before": before, "after": after, "again": again,
                      "final": final}))
    if outcome is not None:
        break
    before = final
'''


@pytest.mark.slow
@pytest.mark.crash
@pytest.mark.parametrize("outcome", ["published", "refused"])
def test_a_step_killed_at_every_write_leaves_the_old_state_or_the_new_one(
    folder: Path, tmp_path: Path, outcome: str
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(SCRIPT)
    result = subprocess.run(
        [sys.executable, str(script), str(folder), outcome], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-3000:]
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    killed = [line for line in lines if line["killed"]]
    assert len(killed) > 8
    assert not lines[-1]["killed"]  # every write had its turn
    for line in lines:
        before, after = line["before"], line["after"]
        assert after["intact"], line
        assert after["evidence"], line
        assert after["quarantine"], line
        assert after["rows"] == 400, line
        if outcome == "refused" or after["head"] == before["head"]:
            assert after["head"] == before["head"], line
        else:
            assert after["head"][0] == before["head"][0] + 1, line
    for line in killed:
        assert line["again"], f"the run after the kill at {line['point']} was refused"
        assert line["final"]["head"][0] > line["before"]["head"][0], line
        assert line["final"]["intact"], line
