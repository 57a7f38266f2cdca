"""The event that a job carries, as bytes: replaced by another, or read to be sent anew.

The functions raise NotFound, AlreadyMoved and ValueError as `ingest.client`'s do, and redis.RedisError as it comes.
"""

import hashlib
import json
from dataclasses import replace

import msgspec

from ingest.accept import Incoming
from ingest.api.keys import Sender
from ingest.api.schema import Rejected, read_event
from ingest.client import calling
from ingest.client.errors import AlreadyMoved, NotFound
from ingest.client.sending import INTERNAL
from ingest.priorities import Priority
from ingest.queue import keys
from ingest.queue import payload as envelope
from ingest.reading import jobs, payloads


def replace_event(job_id: str, body: bytes) -> None:
    """Another event, one JSON object, for the job's next execution; its kind stays. See `client.update_payload`."""
    data = calling.writer().hget(keys.job(job_id), "data")
    if data is None:
        raise why_not(job_id)
    try:
        before = envelope.decode(data if isinstance(data, bytes) else data.encode(), job_id)
    except envelope.Unreadable as error:
        raise ValueError(f"The job's own event cannot be read: {error}") from None
    read = checked(body, before.kind, before.tenant, before.source)
    after = envelope.encode(msgspec.structs.replace(before, body=body))
    body_hash = hashlib.sha256(read.repeat.encode() or body).hexdigest()
    changed, state = calling.transitions().update(job_id, data=after, body_hash=body_hash)
    if not changed:
        raise why_not(job_id, state)


def copy_of(job_id: str) -> Incoming:
    """The same event once more, to be taken in at once under an id of its own, with the job's priority."""
    found, body = jobs.read(job_id), payloads.carried(job_id).body
    if found is None or body is None or found.kind is None:
        raise NotFound(f"No event can be read under the id {job_id[:100]}.")
    read = checked(body, found.kind, found.tenant or "", found.source or "")
    severity = replace(read.severity, mapped=Priority(found.priority or read.severity.mapped.value))
    # Nothing that it could be taken for a second copy by.
    anew = replace(read, event_id=None, own_id="", identity=(), window=0, repeat="")
    return replace(anew, delay=0.0, severity=severity, resolves="")


def why_not(job_id: str, state: str = "") -> Exception:
    """Why the job could not be moved, or its event not be replaced. Raises redis.RedisError."""
    found = jobs.read(job_id, calling.writer())
    if found is None:
        return NotFound(f"No job has the id {job_id[:100]}.")
    return AlreadyMoved(job_id, state or found.state, found.moved_by, found.moved_at)


def checked(body: bytes, kind: str, tenant: str, source: str) -> Incoming:
    """The event of a job of this kind, tenant and source, checked as the first was. It need not name its kind.

    Raises ValueError.
    """
    sender = Sender("client", frozenset({"ingest"}), None, tenant=tenant, source=source)
    read = read_event(_naming(kind, body), sender, INTERNAL)
    if isinstance(read, Rejected):
        raise ValueError(read.problem.detail)
    if read.kind.name != kind:
        raise ValueError(f"kind must stay {kind}, not become {read.kind.name}.")
    return replace(read, body=body)


def _naming(kind: str, body: bytes) -> bytes:
    """The same event, saying its kind where it does not; what is no JSON object stays what it is."""
    try:
        event = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body
    if not isinstance(event, dict) or "kind" in event:
        return body
    return b'{"kind":%s%s%s' % (json.dumps(kind).encode(), b"," if event else b"", body.lstrip()[1:])
