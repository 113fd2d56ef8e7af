"""``aims materialize``: Dagster's own run of a project's assets, ending in a table of verdicts."""

import json
import os
import signal
import threading
import uuid
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aims_pipelines.cli.answers import Format, FormatOption
from aims_pipelines.cli.interrupted import cancel, end_abandoned, process_tag
from aims_pipelines.core.errors import BadInput, Fault

if TYPE_CHECKING:
    from types import ModuleType

    import dagster as dg
    from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

    from aims_pipelines.resources.project import Project

#: How often the line about what is under way is brought up to date: looking takes the run's own time.
_LOOK_SECONDS = 1.0


def materialize(
    select: Annotated[
        str, typer.Option("--select", help="Assets to materialise, in Dagster's selection syntax.")
    ] = "*",
    partition: Annotated[
        str | None, typer.Option("--partition", help="Partition key, for partitioned assets.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="File with Dagster's run config, as YAML.")
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Materialise the assets of the project you are in, and show the verdicts.

    Exit code 0 if everything was published, 1 if a gate refused something, 2 if something could not be run.
    """
    from aims_pipelines.cli.run_table import print_run
    from aims_pipelines.resources.project import find_project
    from aims_pipelines.resources.run_report import report_run

    project = find_project()
    run_config = _run_config(config)
    project.records()  # faults of the records are told before anything runs
    definitions = load_definitions(project)
    with dagster_instance(project) as instance:
        end_abandoned(instance)
        job, keys = _job(definitions, select, partition, instance)
        run_id = _run(job, keys, instance, partition=partition, config=run_config, quiet=form is Format.JSON)
        report = report_run(instance, run_id, [key.to_user_string() for key in keys])
    if form is Format.JSON:
        typer.echo(json.dumps(asdict(report) | {"exit_code": report.exit_code}, indent=2))
    else:
        print_run(report, project)
    raise typer.Exit(report.exit_code)


def load_definitions(project: "Project") -> "dg.Definitions":
    """Import the project's definitions file.

    Raises:
        BadInput: The file is missing, fails to import, or holds no ``Definitions``.
    """
    import importlib.util
    import sys

    file = project.locations.root / project.locations.definitions
    if not file.is_file():
        raise BadInput(
            Fault(where=str(file), expected="the project's Dagster definitions", found="no such file")
        )
    specification = importlib.util.spec_from_file_location("aims_project_definitions", file)
    if specification is None or specification.loader is None:
        raise BadInput(Fault(where=str(file), expected="a Python file", found=file.suffix or "no suffix"))
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    sys.path.insert(0, str(file.parent))
    try:
        specification.loader.exec_module(module)
        found = _definitions_in(module)
    except (Exception, SystemExit) as error:
        raise BadInput(
            Fault(
                where=_place(error, file),
                expected="definitions that import",
                found=f"{type(error).__name__}: {error}",
            )
        ) from error
    if len(found) != 1:
        raise BadInput(
            Fault(where=str(file), expected="one dagster.Definitions", found=f"{len(found)} of them")
        )
    return found[0]


def _definitions_in(module: "ModuleType") -> "list[dg.Definitions]":
    """The definitions of a module; those of functions that make them where there are no others."""
    import dagster as dg

    from aims_pipelines._dagster_compat import is_lazy_definitions

    values = vars(module).values()
    found = list({id(value): value for value in values if isinstance(value, dg.Definitions)}.values())
    return found or [value.load_fn() for value in values if is_lazy_definitions(value)]


def dagster_instance(project: "Project") -> "dg.DagsterInstance":
    """The instance of ``DAGSTER_HOME``, or one inside the project if that is not set."""
    import dagster as dg

    if home := os.environ.get("DAGSTER_HOME"):
        if not (Path(home).is_absolute() and Path(home).is_dir()):
            raise BadInput(
                Fault(
                    where="DAGSTER_HOME",
                    expected="the absolute path of a folder that exists",
                    found=home,
                    remedy="Create the folder, or unset DAGSTER_HOME to keep runs inside the project.",
                )
            )
        return dg.DagsterInstance.get()
    own = dagster_home(project)
    own.mkdir(parents=True, exist_ok=True)
    settings = own / "dagster.yaml"
    if not settings.exists():
        settings.write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    os.environ["DAGSTER_HOME"] = str(own)  # Dagster finds its instance by this variable only
    return dg.DagsterInstance.get()


def dagster_home(project: "Project") -> Path:
    """Where Dagster keeps the runs of a project unless ``DAGSTER_HOME`` says otherwise."""
    return project.locations.root / ".aims" / "dagster"


def _job(
    definitions: "dg.Definitions", select: str, partition: str | None, instance: "dg.DagsterInstance"
) -> "tuple[dg.JobDefinition, list[dg.AssetKey]]":
    import dagster as dg

    try:
        job = definitions.resolve_implicit_global_asset_job_def()
        graph = definitions.resolve_asset_graph()
    except Exception as error:  # Dagster raises several kinds for definitions that do not fit together
        raise BadInput(
            Fault(where="definitions", expected="definitions that fit together", found=str(error))
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # Dagster's own parser uses a beta parameter
            chosen = dg.AssetSelection.from_string(select).resolve(graph)
    except Exception as error:  # Dagster raises several kinds for a selection it cannot read
        raise BadInput(
            Fault(
                where="--select",
                expected="a Dagster asset selection",
                found=f"{select!r} ({error})",
                remedy='Such as: offers, offers+ (with what is made of it), key:"landing/offers", group:landing; '
                "of several, each with its key: key:offers or key:customers+; also 'and', 'not'.",
            )
        ) from error
    keys = [key for key in graph.toposorted_asset_keys if key in chosen & graph.materializable_asset_keys]
    if not keys:
        known = ", ".join(sorted(key.to_user_string() for key in graph.materializable_asset_keys))
        raise BadInput(Fault(where="--select", expected=f"some of the assets {known}", found=repr(select)))
    _check_together(graph, keys)
    partitioned = [key.to_user_string() for key in keys if graph.get(key).is_partitioned]
    if partitioned and partition is None:
        raise BadInput(
            Fault(
                where="--partition",
                expected=f"a partition key, since {', '.join(partitioned)} {_is_or_are(partitioned)} partitioned",
                found="none",
                remedy="Name one of its keys, or leave the partitioned assets out with --select.",
            )
        )
    if partition is not None:
        _check_partition(graph, keys, partition, instance)
    return job, keys


def _check_together(graph: "BaseAssetGraph[Any]", keys: "list[dg.AssetKey]") -> None:
    """Find functions that make several assets, and cannot leave out those that were not selected."""
    faults = {}
    for key in keys:
        assets = graph.get(key).assets_def
        missing = sorted(other.to_user_string() for other in assets.keys - set(keys))
        if missing and not assets.can_subset:
            faults[frozenset(assets.keys)] = Fault(
                where="--select",
                expected=f"{key.to_user_string()} together with {', '.join(missing)}, which the same function makes",
                found=f"{key.to_user_string()} without",
                remedy="Select them all, or give the function can_subset=True.",
            )
    if faults:
        raise BadInput(list(faults.values()))


def _is_or_are(names: "list[str]") -> str:
    return "is" if len(names) == 1 else "are"


def _check_partition(
    graph: "BaseAssetGraph[Any]", keys: "list[dg.AssetKey]", partition: str, instance: "dg.DagsterInstance"
) -> None:
    """Find what Dagster would stumble over: assets without that partition."""
    from aims_pipelines._dagster_compat import has_partition

    faults = []
    for definition in dict.fromkeys(graph.get(key).partitions_def for key in keys):
        names = [key.to_user_string() for key in keys if graph.get(key).partitions_def == definition]
        known = definition is not None and has_partition(definition, partition, instance)
        if definition is None and len(names) < len(keys):
            continue  # assets without partitions run along
        if not known:
            faults.append(
                Fault(
                    where="--partition",
                    expected=f"a partition key of {', '.join(names)}"
                    if definition is not None
                    else f"none, since {', '.join(names)} is not partitioned",
                    found=repr(partition),
                )
            )
    if faults:
        raise BadInput(faults)


def _run_config(file: Path | None) -> dict[str, Any]:
    """Dagster's run config, with its log kept off the terminal unless the file says otherwise."""
    import yaml
    from dagster_shared.yaml_utils import load_run_config_yaml  # reads dates as texts, as Dagster does

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    if file is None:
        return quiet
    expected = "Dagster's run config, a mapping in YAML, such as 'ops: {orders: {config: {day: 2026-01-31}}}'"
    try:
        found = load_run_config_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(
            Fault(where=str(file), expected=expected, found=error.strerror or "no file")
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark is not None else str(file)
        raise BadInput(
            Fault(where=where, expected=expected, found=getattr(error, "problem", None) or "other bytes")
        ) from error
    if not isinstance(found, dict):
        raise BadInput(Fault(where=str(file), expected=expected, found=type(found).__name__))
    return quiet | found


def _run(
    job: "dg.JobDefinition",
    keys: "list[dg.AssetKey]",
    instance: "dg.DagsterInstance",
    *,
    partition: str | None,
    config: "dict[str, Any]",
    quiet: bool,
) -> str:
    """Run in this process, while a line on the terminal says which step is under way.

    Returns:
        The run's id.

    Raises:
        BadInput: The run config does not fit the assets and resources, so that nothing ran.
    """
    import dagster as dg
    from rich.console import Console

    run_id = str(uuid.uuid4())
    outcome: dict[str, BaseException] = {}

    def work() -> None:
        try:
            job.execute_in_process(
                instance=instance,
                asset_selection=keys,
                partition_key=partition,
                raise_on_error=False,
                run_id=run_id,
                tags=process_tag(),
                run_config=config,
            )
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            outcome["error"] = error

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in a background job. Dagster ends its log readers by this signal, and they would inherit ignoring it;
        # a handler that does nothing is not inherited.
        signal.signal(signal.SIGINT, lambda *_: None)
    console = Console(stderr=True, quiet=quiet)
    thread = threading.Thread(target=work, daemon=True)
    try:
        with console.status("Starting …") as status:
            thread.start()
            while thread.is_alive():
                thread.join(timeout=_LOOK_SECONDS)
                if console.is_terminal and not quiet:
                    status.update(_under_way(instance, run_id))
    except KeyboardInterrupt:
        cancel(instance, run_id)
        raise
    error = outcome.get("error")
    if isinstance(error, dg.DagsterInvalidConfigError):
        raise BadInput(
            [
                Fault(
                    where="run config",
                    expected="what the assets and resources ask for",
                    found=" ".join(found.partition("Stack Trace:")[0].split()).rstrip("."),
                    remedy="Write it in a file for --config, or give it a default in the definitions.",
                )
                for found in error.error_messages
            ]
        ) from error
    if error is not None:
        raise error
    return run_id


def _under_way(instance: "dg.DagsterInstance", run_id: str) -> str:
    """Which steps of a run have started and not ended."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return "Starting …"
    steps = instance.get_run_step_stats(run_id)
    going = [step.step_key for step in steps if step.start_time and not step.end_time]
    done = sum(1 for step in steps if step.end_time)
    return "Finishing …" if run.is_finished else f"Materialising {', '.join(going) or '…'} ({done} done)"


def _place(error: BaseException, file: Path) -> str:
    """File and line of the project at which an import failed."""
    place, trace = str(file), error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file:
            place = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
