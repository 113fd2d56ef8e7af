"""Provenance: every hop from the declared source to the candidate is known, or the candidate is refused."""

from aims_pipelines.checks.candidate import Answer, Candidate
from aims_pipelines.checks.findings import stated
from aims_pipelines.checks.wording import listing
from aims_pipelines.core.verdict import Finding, Status
from aims_pipelines.records.dataset_record import External

# Texts with which people leave a field open.
_OPEN = frozenset(
    {"", "?", "-", "--", "...", "…", "todo", "tbd", "fixme", "unknown", "n/a", "na", "null", "xxx"}
)


def judge(candidate: Candidate) -> Answer:
    """Judge source, inputs, code and legal footing, each a finding of its own."""
    return (
        *_origin(candidate),
        *_inputs(candidate),
        _code(candidate),
        _stated("licence", candidate.record.source.licence),
        _stated("legal_basis", candidate.record.source.legal_basis),
        *_life(candidate),
    )


def _origin(candidate: Candidate) -> list[Finding]:
    source = candidate.record.source
    if source.path is not None:
        return [_file(source.path, source.sha256, candidate.source_digest)]
    if source.external is not None:
        return _external(source.external, candidate.digest)
    if source.upstream:
        return []
    return [
        stated(
            "source",
            "declared origin",
            Status.FAIL,
            "the record names neither a source file, nor an upstream asset, nor an external origin",
            "Give 'source.path', 'source.upstream' or 'source.external'.",
        )
    ]


def _external(external: External, content: str) -> list[Finding]:
    """What can be shown of data from outside: the declared origin, and the digest of what was loaded from it."""
    target = "source.external"
    left_open = [name for name in ("name", "locator", "retrieved_by") if _is_open(getattr(external, name))]
    if left_open:
        return [
            stated(
                f"{target}.{name}",
                "declared origin",
                Status.FAIL,
                f"the record leaves '{target}.{name}' open",
                f"State it in '{target}.{name}'.",
            )
            for name in left_open
        ]
    if not content:
        return [stated(target, "declared origin", Status.FAIL, "the digest of what was loaded is unknown")]
    return [
        stated(
            target,
            "declared origin",
            Status.PASS,
            f"read by {external.retrieved_by} from the {external.kind.replace('_', ' ')} '{external.name}'; "
            f"what was loaded is known by its digest, {_short(content)}, the origin's own bytes are not pinned",
        )
    ]


def _file(path: str, pin: str | None, digest: str) -> Finding:
    if not digest:
        return stated(
            path,
            "source digest",
            Status.FAIL,
            "the declared source file could not be read, so what this table was made from is unknown",
            f"Put the file at '{path}', or correct 'source.path'.",
        )
    if pin is not None and pin != digest:
        return stated(
            path,
            "pinned digest",
            Status.FAIL,
            f"the source file is {_short(digest)}, but the record pins {_short(pin)}",
            "Restore the pinned file, or review the new one and pin its digest in 'source.sha256'.",
        )
    how = "is the pinned one" if pin is not None else "is known"
    return stated(
        path, "source digest", Status.PASS, f"the digest of the source file {how}: {_short(digest)}"
    )


def _inputs(candidate: Candidate) -> list[Finding]:
    admitted = {version.asset: version for version in candidate.inputs}
    declared = dict.fromkeys((*candidate.record.source.upstream, *candidate.missing_inputs))
    findings = []
    for asset in declared:
        version = admitted.get(asset)
        if version is None or not version.digest or not version.evidence or asset in candidate.missing_inputs:
            findings.append(
                stated(
                    asset,
                    "admitted input",
                    Status.FAIL,
                    f"no version of '{asset}' with a passing verdict for its bytes was given",
                    f"Materialise '{asset}' until its gate opens, then this asset again.",
                )
            )
        else:
            findings.append(
                stated(asset, "admitted input", Status.PASS, f"version {_short(version.digest)} was admitted")
            )
    undeclared = [asset for asset in admitted if asset not in declared]
    if undeclared:
        findings.append(
            stated(
                "source.upstream",
                "declared inputs",
                Status.FAIL,
                f"made from {listing(undeclared)}, which the record does not declare",
                "Add it to 'source.upstream' of the record, or take the input out of the asset.",
            )
        )
    return findings


def _code(candidate: Candidate) -> Finding:
    if candidate.code_version.strip():
        return stated(
            "code", "code version", Status.PASS, f"computed by code version {_short(candidate.code_version)}"
        )
    return stated(
        "code",
        "code version",
        Status.FAIL,
        "the version of the code that computed this table is unknown",
        "Give the asset a code_version, or run it from source files that can be read.",
    )


def _stated(name: str, text: str) -> Finding:
    if _is_open(text):
        return stated(
            f"source.{name}",
            name.replace("_", " "),
            Status.FAIL,
            f"the record leaves 'source.{name}' open",
            f"State it in 'source.{name}'; 'no personal data' is a legal basis where that is so.",
        )
    return stated(f"source.{name}", name.replace("_", " "), Status.PASS, "stated in the record")


def _life(candidate: Candidate) -> list[Finding]:
    status = candidate.record.status
    if status not in ("expired", "erased"):
        return []
    return [
        stated(
            "status",
            "record status",
            Status.FAIL,
            f"the record says that this dataset is {status}, so no new version may appear",
            "Review the record; set its status to 'admitted' if the dataset may be used again.",
        )
    ]


def _is_open(text: str) -> bool:
    return text.strip().casefold() in _OPEN


def _short(digest: str) -> str:
    return f"{digest[:19]}…" if len(digest) > 24 else digest
