"""One step of governed assets: admit the inputs, judge every value, then publish what passed and refuse the rest.

A step makes one asset or, for a multi-asset, several. Each is judged by its own evidence, and all are judged before
the first is published: a refused one leaves nothing, those that passed become current, and the step fails.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from aims_pipelines import _dagster_compat as compat
from aims_pipelines.assets.admission import Admission, admit_all, settle
from aims_pipelines.assets.gating import refusal
from aims_pipelines.assets.one_partition import one_partition
from aims_pipelines.assets.output_gate import Gate, OutputGate, Refusal
from aims_pipelines.assets.returned import Expected, Handed, hand_out
from aims_pipelines.checks.wording import count
from aims_pipelines.core.errors import AimsError, BadInput, Fault, GateRefused
from aims_pipelines.resources.aims import RESOURCE_KEY

if TYPE_CHECKING:
    from aims_pipelines.resources.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What is known of the gates of a step when definitions load.

    Args:
        by_output: Gate per name of an output; assets without one are not in it.
        inputs: Parameters through which upstream values arrive.
    """

    by_output: Mapping[str, Gate]
    inputs: tuple[str, ...]


class GateStep:
    """Walks one execution through the gates of its assets.

    Args:
        gates: The gates.
        context: Dagster's context of the step.
    """

    def __init__(self, gates: Gates, context: dg.AssetExecutionContext) -> None:
        self.gates = gates
        self.context = context
        assets, selected = context.assets_def, context.selected_asset_keys
        # Keys are not known before: loading a module may put a prefix in front of them.
        self._expected = [
            Expected(
                output=output,
                key=key,
                governed=output in gates.by_output,
                selected=key in selected,
                required=compat.is_required(assets, output),
                own_checks=gates.by_output[output].own_checks if output in gates.by_output else (),
            )
            for output, key in compat.asset_outputs(assets).items()
        ]
        self._upstream = {spec.key: {dep.asset_key for dep in spec.deps} for spec in assets.specs}
        self._gates = {
            item.output: OutputGate(gates.by_output[item.output], item.output, item.key, context)
            for item in self._expected
            if item.governed and item.selected
        }
        self._loaded: frozenset[dg.AssetKey] = frozenset()
        self._order: list[Expected] = []
        self._handed = Handed(governed={}, ungoverned={}, others=())

    def admit(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take the inputs only with evidence, before any of the user's code runs.

        Returns:
            The arguments for the user's function; what can be read only once can still be read.

        Raises:
            GateRefused: An input has no passing verdict for the rows that were loaded.
            BadInput: The records are faulty, or do not fit the assets.
        """
        now, partition = datetime.now(UTC), self._partition()
        self._refuse_lone_checks()
        faults: list[Fault] = []
        for gate in self._gates.values():
            try:
                gate.begin(partition=partition, now=now)
            except BadInput as error:
                faults += error.faults
        if faults:
            raise BadInput(list(dict.fromkeys(faults)))
        keys = compat.asset_inputs(self.context.assets_def)
        settled = {name: settle(arguments[name]) for name in self.gates.inputs if name in arguments}
        project: Project = getattr(self.context.resources, RESOURCE_KEY).project
        admissions = {
            keys[name]: admit_all(
                {keys[name].to_user_string(): value}, project=project, records=project.records()
            )
            for name, value in settled.items()
        }
        self._loaded = frozenset(admissions)
        for gate in self._gates.values():
            mine = [item for key, item in admissions.items() if key in self._upstream[gate.key]]
            gate.made_from(
                [version for item in mine for version in item.admitted],
                [key for item in mine for key in item.ungoverned],
            )
        self._require(admissions.values())
        return {**arguments, **{name: _again(arguments[name], value) for name, value in settled.items()}}

    def judge(self, result: Any) -> None:
        """Judge what the user's function returned, or all that it yielded, and record the answers.

        Raises:
            BadInput: It cannot be told which of the assets something belongs to.
        """
        self._handed = hand_out(result, self._expected)
        self._order = self._in_order()
        for item in self._order:
            returned = self._handed.governed.get(item.output)
            if returned is None:
                continue
            gate = self._gates[item.output]
            gate.judge(returned, siblings=self._siblings(gate))

    def finish(self) -> Iterator[Any]:
        """Publish what passed; refuse what did not.

        Raises:
            dagster.Failure: A candidate was refused, or another run published meanwhile.
        """
        for gate in self._gates.values():
            yield from gate.answers_of_refused()
        for item in self._order:
            mine = self._gates.get(item.output)
            if mine is not None and mine.passed:
                yield from mine.publish()
            elif item.output in self._handed.ungoverned and not self._below_refused(item):
                yield self._handed.ungoverned[item.output]
        yield from self._handed.others
        self._end()

    def give_up(self, error: AimsError) -> Iterator[Any]:
        """Refuse all assets, which could not be judged, and leave that as evidence where that is possible.

        Raises:
            dagster.Failure: Always.
        """
        for gate in self._gates.values():
            gate.refuse_unjudged(error)
            yield from gate.answers_of_refused()
        self._end(otherwise=error)

    def _require(self, admissions: Collection[Admission]) -> None:
        refused = {dataset: reason for item in admissions for dataset, reason in item.refused.items()}
        if not refused:
            return
        mine = ", ".join(repr(gate.gate.dataset) for gate in self._gates.values())
        lines = [f"Refused {mine}: {count(len(refused), 'input')} not admitted; nothing was computed."]
        for dataset, reason in refused.items():
            lines.append(f"  {dataset}: {reason}")
            lines.append(f"Next: materialise '{dataset}' until its gate opens, then {mine} again.")
        raise GateRefused("\n".join(lines))

    def _siblings(self, gate: OutputGate) -> list[OutputGate]:
        """Assets of this step that one is judged with; what it is made from without evidence is noted on the way."""
        siblings: list[OutputGate] = []
        for item in self._expected:
            if item.key not in self._upstream[gate.key] or item.key in {gate.key, *self._loaded}:
                continue
            source = self._gates.get(item.output)
            if source is not None and source.passed and source.unchanged:
                siblings.append(source)
                gate.made_from([source.version()], [])
            else:
                known = self.gates.by_output.get(item.output)
                gate.made_from([], [known.dataset if known is not None else item.key.to_user_string()])
        return siblings + [
            other
            for other in self._gates.values()
            if other.gate.dataset in gate.disjoint_from and other.passed and other not in siblings
        ]

    def _in_order(self) -> list[Expected]:
        """The assets, those first that others are made from or, where that is possible, must share no row with."""
        ordered: list[Expected] = []
        left = list(self._expected)
        while left:
            waiting = {item.key for item in left}
            ready = [item for item in left if not self._upstream[item.key] & (waiting - {item.key})]
            free = [item for item in ready if not self._waits_for_disjoint(item, left)]
            chosen = (free or ready)[0]
            ordered.append(chosen)
            left.remove(chosen)
        return ordered

    def _waits_for_disjoint(self, item: Expected, left: Sequence[Expected]) -> bool:
        gate = self._gates.get(item.output)
        apart = gate.disjoint_from if gate is not None else ()
        others = (self._gates[other.output].gate.dataset for other in left if other.output in self._gates)
        return any(dataset in apart for dataset in others)

    def _below_refused(self, item: Expected) -> bool:
        """Whether an asset without a gate is made, over however many assets of this step, from one not published."""
        for other in self._expected:
            if other.key in self._upstream[item.key] and other.key != item.key and other.selected:
                gate = self._gates.get(other.output)
                if (gate is not None and gate.refusal is not None) or self._below_refused(other):
                    return True
        return False

    def _refuse_lone_checks(self) -> None:
        lone = {check.asset_key for check in self.context.selected_asset_check_keys}
        lone -= set(self.context.selected_asset_keys)
        governed = [
            item.key.to_user_string() for item in self._expected if item.governed and item.key in lone
        ]
        if governed:
            raise BadInput(
                Fault(
                    where="selection",
                    expected=f"{', '.join(governed)}, whose checks judge a value that is being computed",
                    found="the checks alone",
                    remedy="Select the asset; its checks run with it.",
                )
            )

    def _partition(self) -> str:
        names = ", ".join(repr(item.key.to_user_string()) for item in self._expected if item.selected)
        return one_partition(self.context, names)

    def _end(self, *, otherwise: AimsError | None = None) -> None:
        """Return if nothing was refused.

        Raises:
            dagster.Failure: Something was.
        """
        refused = {
            gate.key.to_user_string(): gate.refusal
            for gate in self._gates.values()
            if gate.refusal is not None
        }
        if otherwise is not None and not refused:
            outcome = "refused" if isinstance(otherwise, GateRefused) else "bad input"
            raise refusal(self.context, str(otherwise), outcome=outcome)
        if refused:
            raise refusal(
                self.context,
                self._message(list(refused.values())),
                outcome=_worst(refused.values()),
                evidence=", ".join(
                    dict.fromkeys(item.evidence for item in refused.values() if item.evidence)
                ),
                each={name: (item.outcome, item.message) for name, item in refused.items()},
            )

    def _message(self, refused: Sequence[Refusal]) -> str:
        messages = list(dict.fromkeys(item.message for item in refused))
        published = [
            f"{gate.key.to_user_string()!r} (version {gate.published})"
            for gate in self._gates.values()
            if gate.published is not None
        ]
        if published:
            messages.append(
                f"Published all the same, by their own evidence: {', '.join(published)}. As the step failed, "
                "Dagster starts nothing below it in this run."
            )
        return "\n\n".join(messages)


def _worst(refused: Collection[Refusal]) -> str:
    return "bad input" if any(item.outcome == "bad input" for item in refused) else "refused"


def _again(original: Any, settled: Any) -> Any:
    """An input as it was loaded: a reader that was read to look for evidence starts from the beginning."""
    import pyarrow as pa

    if isinstance(original, dict):
        return {partition: _again(part, settled[partition]) for partition, part in original.items()}
    return settled.to_reader() if isinstance(original, pa.RecordBatchReader) else original
