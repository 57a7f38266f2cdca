"""What a sender's words mean, said from the console: severities, and the fields of the generic hook."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingest.api import mappings
from queueadmin.console.audit import audited


@dataclass(frozen=True, slots=True)
class MappingResult:
    #: Whether it was another before.
    changed: bool
    sentence: str


def map_severity(
    source: str, word: str, priority: str, *, actor: str, key_id: int | None = None, reason: str = ""
) -> MappingResult:
    """From now on this word of this source is this urgent, within 5 s in every process.

    Raises mappings.MappingRefused, AuditUnavailable when the database is away.
    """
    said = f"The severity {word!r} of {_of(source, key_id)}"
    with audited(actor=actor, action="map_severity", target=_target(source, key_id), count=1, reason=reason) as outcome:
        changed = mappings.map_word(source, word, priority, key_id=key_id)
        result = MappingResult(changed, f"{said} is {priority} from now on." if changed else f"{said} was {priority}.")
        outcome.count, outcome.sentence = int(changed), result.sentence
    return result


def unmap_severity(source: str, word: str, *, actor: str, key_id: int | None = None, reason: str = "") -> MappingResult:
    """The tables count again. Raises as `map_severity`."""
    said = f"The severity {word!r} of {_of(source, key_id)}"
    with audited(
        actor=actor, action="unmap_severity", target=_target(source, key_id), count=1, reason=reason
    ) as outcome:
        changed = mappings.unmap_word(source, word, key_id=key_id)
        sentence = f"{said} is not mapped any more." if changed else f"{said} was not mapped."
        result = MappingResult(changed, sentence)
        outcome.count, outcome.sentence = int(changed), result.sentence
    return result


def map_fields(
    source: str, fields: Mapping[str, str], *, actor: str, key_id: int | None = None, reason: str = ""
) -> MappingResult:
    """From now on the generic hook takes these fields of this source from these paths. Raises as `map_severity`."""
    with audited(actor=actor, action="map_fields", target=_target(source, key_id), count=1, reason=reason) as outcome:
        changed = mappings.map_fields(source, fields, key_id=key_id)
        paths = ", ".join(f"{name} from {path}" for name, path in sorted(fields.items()))
        said = f"The generic hook takes for {_of(source, key_id)}: {paths}."
        result = MappingResult(changed, said if changed else "It was so before; nothing was changed.")
        outcome.count, outcome.sentence = int(changed), result.sentence
    return result


def unmap_fields(source: str, *, actor: str, key_id: int | None = None, reason: str = "") -> MappingResult:
    """The usual names count again. Raises as `map_severity`."""
    with audited(actor=actor, action="unmap_fields", target=_target(source, key_id), count=1, reason=reason) as outcome:
        changed = mappings.unmap_fields(source, key_id=key_id)
        of = _of(source, key_id)
        said = f"The generic hook goes by the usual names for {of}." if changed else f"No fields of {of} were mapped."
        result = MappingResult(changed, said)
        outcome.count, outcome.sentence = int(changed), result.sentence
    return result


def _of(source: str, key_id: int | None) -> str:
    return f"{source or 'no source'}{f', with key {key_id}' if key_id else ''}"


def _target(source: str, key_id: int | None) -> str:
    return f"source {_of(source, key_id)}"
