"""The page of one job, its event shown whole, edited and sent again, and its hash as it is: HTTP only."""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec
import redis
from django.contrib import messages
from django.db import DatabaseError, InterfaceError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest import frames
from ingest.client.events import checked
from ingest.reading import payloads
from ingest.reading.runs import Attempt
from queueadmin.console import editing, masking, operations, policies, queries, snippets
from queueadmin.console.access.permissions import (
    DUPLICATE_JOBS,
    EDIT_JOBS,
    MOVE_JOBS,
    RETRY_JOBS,
    REVEAL_PAYLOADS,
    VIEW_CONSOLE,
    granted,
    may,
)
from queueadmin.console.actions import BUTTONS, CANCEL_RUNNING
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.filters import Filter
from queueadmin.console.filters.terms import Field
from queueadmin.console.fingerprint import group_of, normalised
from queueadmin.console.life import lasted, life
from queueadmin.console.pages.answers import answer, do, needs, refuse
from queueadmin.console.pages.forms import EditForm, MoveForm, mistakes
from queueadmin.console.pages.lists import away
from queueadmin.console.queries import EDITABLE
from queueadmin.console.request import Request, address

#: Attempts that are shown beside one another.
SIDES: Final = 5
#: Bytes of an event that a command repeats: a terminal takes more, nobody reads it.
CURL_BYTES: Final = 16 * 1024


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def job(request: Request, job_id: str) -> HttpResponse:
    return _page(request, job_id)


@never_cache
@require_POST
@needs(REVEAL_PAYLOADS)
def reveal(request: Request, job_id: str) -> HttpResponse:
    """The same page with the credentials in the event; on the record."""
    try:
        body = operations.reveal(job_id, actor=request.user.get_username())
    except AuditUnavailable as error:
        return answer(request, str(error), messages.ERROR, reverse("console:job", args=[job_id]), 503)
    except redis.RedisError as gone:
        return render(request, "console/away.html", {"away": away(gone)}, status=503)
    return _page(request, job_id, revealed=body)


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def raw(request: Request, job_id: str) -> HttpResponse:
    """The job's hash in Redis, field by field, without credentials."""
    try:
        found = queries.raw(job_id)
    except redis.RedisError as gone:
        return render(request, "console/away.html", {"away": away(gone)}, status=503)
    if found is None:
        return render(request, "console/no_job.html", {"job_id": job_id, "in_redis": True}, status=404)
    return render(request, "console/job_raw.html", {"page": "job", "job_id": job_id, "raw": found})


@never_cache
@needs(EDIT_JOBS)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: Request, job_id: str) -> HttpResponse:
    """GET shows the event to be edited; POST shows what the edit changes, and with `sure` does it."""
    try:
        found = queries.job(job_id)
        body = payloads.carried(job_id).body if found else None
    except redis.RedisError as gone:
        return render(request, "console/away.html", {"away": away(gone)}, status=503)
    if found is None:
        return render(request, "console/no_job.html", {"job_id": job_id}, status=404)
    back = reverse("console:job", args=[job_id])
    if found["state"] not in EDITABLE or body is None or not queries.actions(found["state"], found["kind"]):
        sentence = "Its event cannot be read." if body is None else f"A job that is {found['state']} keeps its event."
        return answer(request, sentence, messages.WARNING, back, 409)
    shown: dict[str, Any] = {"page": "job", "job": found, "of": hashlib.sha256(body).hexdigest()}
    form = EditForm(request.POST)
    try:
        if request.method != "POST":
            return render(request, "console/edit_job.html", shown | {"text": editing.editable(body)})
        if not form.is_valid():
            raise editing.EditError(mistakes(form))
        return _edited(request, shown, form.cleaned_data, body)
    except (editing.EditError, ValueError) as error:
        return render(
            request,
            "console/edit_job.html",
            shown | {"text": request.POST.get("event", ""), "wrong": error},
            status=422,
        )


def _edited(request: Request, shown: dict[str, Any], said: dict[str, Any], body: bytes) -> HttpResponse:
    text: str = said["event"]
    if said["step"] == "edit":
        return render(request, "console/edit_job.html", shown | {"text": text})
    if said["of"] != shown["of"]:
        raise editing.EditError("Somebody changed the event meanwhile. Open it anew, then edit it.")
    if said["step"] != "sure":
        after, found = editing.edited(text, body), shown["job"]
        told = editing.difference(body, after)
        if not told.changed:
            raise editing.EditError("Nothing was changed.")
        checked(after, found["kind"] or "", found["tenant"] or "", found["source"] or "")
        return render(request, "console/edit_job.html", shown | {"text": text, "told": told})
    job_id = shown["job"]["id"]
    try:
        return do(
            request,
            lambda actor: operations.change_event(
                job_id, text, actor=actor, reason=said["reason"], of=body, then_retry=may(request.user, RETRY_JOBS)
            ),
            reverse("console:job", args=[job_id]),
        )
    except (operations.NotFound, operations.AlreadyMoved) as error:
        return answer(request, f"Nothing was changed: {error}.", messages.WARNING, request.path, 409)


@require_POST
@needs(DUPLICATE_JOBS)
def duplicate(request: Request, job_id: str) -> HttpResponse:
    """Send the event once more, and go to the new job."""
    here = reverse("console:job", args=[job_id])

    def send(actor: str) -> operations.CopyResult:
        nonlocal here
        copy = operations.duplicate(job_id, actor=actor)
        here = reverse("console:job", args=[copy.id])
        return copy

    try:
        answered = do(request, send, here)
    except (operations.NotFound, ValueError) as error:
        return answer(request, f"It cannot be sent once more: {error}", messages.WARNING, here, 409)
    return redirect(here) if answered.status_code == 302 else answered


@require_POST
@needs(MOVE_JOBS)
def move(request: Request, job_id: str) -> HttpResponse:
    """To another queue: what waits to its back, a dead letter with all its retries."""
    form, here = MoveForm(request.POST), reverse("console:job", args=[job_id])
    if not form.is_valid():
        return answer(request, "Choose the queue that it goes to.", messages.WARNING, here, 422)
    to, is_dead = form.cleaned_data["to"], form.cleaned_data["retry"]
    if is_dead and not may(request.user, RETRY_JOBS):
        return refuse(request, RETRY_JOBS)
    operation = operations.retry if is_dead else operations.move
    return do(request, lambda actor: operation([job_id], to=to, actor=actor), here)


def _kept(found: Mapping[str, Any], group: str) -> dict[str, Any] | None:
    """What the policies say of a dead letter; None: the database does not tell."""
    failed_at = found["error"]["at"]
    try:
        policy = policies.of_cause(group)
        if policy is None or failed_at is None:
            return {"policy": policy, "until": None, "beyond": None}
        beyond = policies.beyond_since(policy, group, failed_at)
    except (DatabaseError, InterfaceError):
        return None
    return {
        "policy": policy,
        "until": policies.kept_until(policy, failed_at, found["moved_at"], beyond),
        "beyond": beyond,
    }


def _group(error: Mapping[str, Any], traceback: str) -> str:
    return group_of(error["type"] or "", error["message"] or "", error["frames"] or frames.ours(traceback))


def _again(request: Request, found: Mapping[str, Any], body: bytes) -> str:
    """The command that sends its event once more, credentials masked; "" for one that is too long to be typed."""
    if len(body) > CURL_BYTES:
        return ""
    try:
        text = editing.editable(body)
    except editing.EditError:
        return ""
    url = f"{address(request)}/api/v1/events"
    return snippets.again(url, text, kind=found["kind"] or "", source=found["source"] or "")


def _sides(attempts: Sequence[Attempt]) -> list[tuple[str, list[tuple[str, bool]]]]:
    """The newest SIDES attempts beside one another: what is told of each, and whether the one before differs."""
    shown = attempts[:SIDES]
    told = {
        "Error": [each.error_type or each.reason for each in shown],
        "Message": [each.message for each in shown],
        "In": [", ".join(frames.apart(frames.ours(each.traceback))) for each in shown],
        "Reason": [each.reason for each in shown],
        "Worker": [each.worker for each in shown],
    }
    return [(label, list(zip(texts, _differ(texts), strict=True))) for label, texts in told.items() if any(texts)]


def _differ(texts: Sequence[str]) -> list[bool]:
    """Whether each says something else than the one after it, numbers and the like aside."""
    plain = list(map(normalised, texts))
    return [one != other for one, other in pairwise([*plain, plain[-1]])]


def _page(request: Request, job_id: str, *, revealed: bytes | None = None) -> HttpResponse:
    try:
        found = queries.job(job_id)
        carried = payloads.carried(job_id) if found else None
        attempts = queries.attempts(job_id) if queries.has_runs(found) else []
        log = queries.log(job_id) if queries.has_runs(found) else []
    except redis.RedisError as gone:
        return render(request, "console/away.html", {"away": away(gone)}, status=503)
    if found is None or carried is None:
        return render(request, "console/no_job.html", {"job_id": job_id}, status=404)
    error = found["error"]
    body = carried.body if revealed is None else revealed
    verbs = queries.actions(found["state"], found["kind"], stopping=found["stopping"])
    is_running = found["state"] == "started"
    buttons = [CANCEL_RUNNING if is_running else BUTTONS[verb] for verb in verbs if verb in BUTTONS]
    held = granted(request.user)
    moments = life(found, attempts)
    group = _group(error, carried.traceback) if error and found["state"] == "failed" else ""
    context = {
        "page": "job",
        "job": found,
        "life": moments,
        "lasted": lasted(moments),
        "buttons": [button for button in buttons if button.permission.codename in held],
        "is_movable": bool({"move", "retry"} & set(verbs))
        and queries.has_runs(found)
        and (MOVE_JOBS.codename in held and (found["state"] != "failed" or RETRY_JOBS.codename in held)),
        "is_editable": found["state"] in EDITABLE
        and bool(verbs)
        and queries.has_runs(found)
        and body is not None
        and EDIT_JOBS.codename in held,
        "payload": None if body is None else masking.show(body, revealed=revealed is not None),
        "revealed": revealed is not None,
        "audit_filter": str(Filter((Field("target", (job_id,)),))),
        "source_filter": str(Filter((Field("source", (found["source"] or "",)),))),
        "size": len(body or b""),
        "attempts": attempts,
        "beside": attempts[:SIDES],
        "sides": _sides(attempts) if len(attempts) > 1 else [],
        "again": "" if carried.body is None else _again(request, found, carried.body),
        "log": log,
        "result": None if found["result"] is None else masking.show(msgspec.json.encode(found["result"])),
        "group": group,
        "kept": _kept(found, group) if group else None,
        # A stock worker's failure before RQ kept results has only this.
        "traceback": masking.masked_traceback(carried.traceback),
        "message": masking.masked_text((error or {}).get("message") or ""),
    }
    return render(request, "console/job.html", context)
