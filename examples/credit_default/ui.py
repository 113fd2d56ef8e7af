"""Open Dagster and MLflow on the results of the demo; Ctrl-C stops both.

python -m examples.credit_default.ui [--dagster-port 3000] [--mlflow-port 5000]
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from aims_pipelines.core.errors import AimsError, BadInput, Fault, StoreUnavailable
from examples.credit_default.workplace import Workplace

_START_SECONDS = 120
_STOP_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server to start.

    Args:
        name: What people call it.
        url: Where it answers.
        command: How it is started.
        log: File that takes its output.
    """

    name: str
    url: str
    command: tuple[str, ...]
    log: Path


def servers(place: Workplace, *, host: str, dagster_port: int, mlflow_port: int) -> tuple[Server, Server]:
    """Say how both servers are started on the demo's results."""
    return (
        Server(
            name="Dagster",
            url=f"http://{host}:{dagster_port}",
            command=(
                *(sys.executable, "-m", "dagster", "dev", "-w", str(place.project / "workspace.yaml")),
                *("-h", host, "-p", str(dagster_port)),
            ),
            log=place.logs / "dagster.log",
        ),
        Server(
            name="MLflow",
            url=f"http://{host}:{mlflow_port}",
            command=(
                *(sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", place.mlflow_address),
                *("--host", host, "--port", str(mlflow_port), "--workers", "1"),
            ),
            log=place.logs / "mlflow.log",
        ),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Start both servers and wait; return 0 after Ctrl-C, 1 if one of them ended, 2 if they could not start."""
    parser = argparse.ArgumentParser(prog="python -m examples.credit_default.ui", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--dagster-port", type=int, default=3000, metavar="PORT", help="default 3000")
    parser.add_argument("--mlflow-port", type=int, default=5000, metavar="PORT", help="default 5000")
    parser.add_argument("--output", type=Path, default=None, metavar="FOLDER", help="folder of the demo")
    options = parser.parse_args(arguments)
    place = Workplace.default() if options.output is None else Workplace(folder=options.output.resolve())
    console = Console()
    try:
        place.require_results()
        _require_ports(
            options.host, {"--dagster-port": options.dagster_port, "--mlflow-port": options.mlflow_port}
        )
        wanted = servers(
            place, host=options.host, dagster_port=options.dagster_port, mlflow_port=options.mlflow_port
        )
        return _serve(wanted, {**place.environment(), "DAGSTER_HOME": str(place.dagster_home)}, console)
    except AimsError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False, soft_wrap=True)
        return error.exit_code


def _require_ports(host: str, ports: Mapping[str, int]) -> None:
    faults = []
    for option, port in ports.items():
        if not 1 <= port <= 65535:
            faults.append(Fault(where=option, expected="a port from 1 to 65535", found=str(port)))
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                faults.append(
                    Fault(
                        where=f"{option} {port}",
                        expected=f"a free port on {host}",
                        found=error.strerror or "a port that cannot be used",
                        remedy=f"Stop what listens there, or choose another, such as {option} {port + 10}.",
                    )
                )
    if len(set(ports.values())) < len(ports):
        faults.append(Fault(where=" and ".join(ports), expected="two different ports", found="the same"))
    if faults:
        raise BadInput(faults)


def _serve(wanted: Sequence[Server], environment: Mapping[str, str], console: Console) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell in the background has them ignored
        signal.signal(number, signal.default_int_handler)
    running: list[tuple[Server, subprocess.Popen[bytes]]] = []
    try:
        with console.status("Starting Dagster and MLflow …"):
            running.extend((server, _start(server, environment)) for server in wanted)
            for server, process in running:
                _await(server, process)
        for server in wanted:
            console.print(f"{server.name:8} {server.url}", highlight=False)
        console.print("Ctrl-C stops both.", style="dim")
        while True:
            for server, process in running:
                if process.poll() is not None:
                    raise StoreUnavailable(_ended(server, process))
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 0
    finally:
        _stop([process for _, process in running])


def _start(server: Server, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    server.log.parent.mkdir(parents=True, exist_ok=True)
    with server.log.open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own interpreter with arguments of our own
            server.command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )


def _await(server: Server, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise StoreUnavailable(_ended(server, process))
        try:
            with urllib.request.urlopen(server.url, timeout=5):  # noqa: S310 - http on this machine
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise StoreUnavailable(
        f"{server.name} did not answer at {server.url} in {_START_SECONDS} s; see {server.log}"
    )


def _ended(server: Server, process: "subprocess.Popen[bytes]") -> str:
    tail = server.log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return "\n".join([f"{server.name} ended with code {process.returncode}; {server.log} says:", *tail])


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """Stop the servers: first asked, then whatever is left of what they started is made to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C would leave them running
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            try:
                os.killpg(process.pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + _STOP_SECONDS
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
