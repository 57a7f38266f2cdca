"""The page /ingest/ and what stands under it: HTTP only. What it shows is in sources, what it does in operations."""

from datetime import timedelta
from typing import Any, Final, Literal

import redis
from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest.api import keyring, mappings, steps, unknown_words
from ingest.api.keyring import Key, KeyRefused, NewSecret
from ingest.api.mappings import MappingRefused
from ingest.api.unknown_words import UnknownWord
from queueadmin.console import door, operations, sources
from queueadmin.console.access.permissions import MANAGE_KEYS, MANAGE_MAPPINGS, VIEW_CONSOLE
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.figures import metrics
from queueadmin.console.pages.answers import answer, do, needs
from queueadmin.console.pages.forms import AddSourceForm, KeyForm, ReasonForm, RotateForm, SeverityForm, mistakes
from queueadmin.console.request import Request, address, is_partial
from queueadmin.console.vendors import BY_ID, VENDORS, Vendor, set_up

#: Minutes that an old secret may be asked to stay good.
KEEP: Final = ((60, "1 hour"), (1440, "1 day"), (0, "Not at all"))

Arrival = Literal["waiting", "refused", "arrived", "unknown"]


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def ingest(request: Request) -> HttpResponse:
    """The page, or for htmx the part of it that lives."""
    keys = keyring.all_keys()
    try:
        read = sources.read([key.id for key in keys])
    except redis.RedisError:
        read = None
    snapshot = metrics.snapshot()
    context: dict[str, Any] = {
        "page": "ingest",
        "snapshot": snapshot.as_dict(),
        "door": read,
        "verdict": door.verdict(read, snapshot.spool),
        "reasons": [(reason, door.from_words(reason)) for reason in door.reasons(read)] if read else [],
        "much": door.MUCH,
        "step": steps.STEP,
    }
    if is_partial(request):
        return render(request, "console/_ingest_live.html", context)
    # Those that let nobody in any more stand last.
    shown = sorted(keys, key=lambda key: (key.state != "active", key.name.casefold()))
    context["keys"] = [
        (key, read.key(key.id) if read else None, read.key_flow(key.id) if read else None) for key in shown
    ]
    context["field_mappings"] = mappings.all_fields()
    context["unmapped"] = _unmapped()
    context["unmapped_events"] = sum(each.events for each in context["unmapped"] or ())
    context["in_use"] = sum(key.state == "active" for key in keys)
    return render(request, "console/ingest.html", context)


@never_cache
@needs(MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def new_key(request: Request) -> HttpResponse:
    """GET asks, POST makes the key and shows its secret, once."""
    form = KeyForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _asked(request, "console/new_key.html", form)
    wanted = form.cleaned_data
    days = wanted["days"]
    try:
        made = operations.create_key(
            wanted["name"],
            actor=request.user.get_username(),
            scopes=wanted["scopes"],
            source=wanted["source"],
            tenant=wanted["tenant"],
            max_priority=wanted["max_priority"],
            rate=wanted["rate"],
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
    except KeyRefused as refused:
        form.add_error(refused.field if refused.field in form.fields else None, str(refused))
        return _asked(request, "console/new_key.html", form)
    except AuditUnavailable as error:
        return answer(request, str(error), messages.ERROR, reverse("console:ingest"), 503)
    return _shown(request, made)


@never_cache
@needs(MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def add_source(request: Request) -> HttpResponse:
    """GET asks for the source, POST makes its key and shows how to send with it."""
    form = AddSourceForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return _asked(request, "console/add_source.html", form)
    source, vendor = form.cleaned_data["source"], BY_ID[form.cleaned_data["vendor"]]
    try:
        made = operations.create_key(source, actor=request.user.get_username(), source=source)
    except KeyRefused as refused:
        form.add_error("source", str(refused))
        return _asked(request, "console/add_source.html", form)
    except AuditUnavailable as error:
        return answer(request, str(error), messages.ERROR, reverse("console:ingest"), 503)
    return _shown(request, made, vendor=vendor)


@never_cache
@needs(MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def rotate_key(request: Request, key_id: int) -> HttpResponse:
    """GET asks for how long the old secret stays good, POST shows the new one, once."""
    key = _key(key_id)
    form = RotateForm(request.POST)
    if request.method != "POST" or not form.is_valid():
        context = {"page": "ingest", "key": key, "keep": KEEP}
        return render(request, "console/rotate_key.html", context, status=200 if request.method != "POST" else 422)
    try:
        made = operations.rotate_key(
            key.name, keep_minutes=form.cleaned_data["minutes"], actor=request.user.get_username()
        )
    except (KeyRefused, AuditUnavailable) as error:
        return _not_done(request, error)
    return _shown(request, made, rotated=True)


@never_cache
@needs(MANAGE_KEYS)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke_key(request: Request, key_id: int) -> HttpResponse:
    """GET asks, POST does."""
    key = _key(key_id)
    if request.method != "POST":
        return render(request, "console/revoke_key.html", {"page": "ingest", "key": key})
    form = ReasonForm(request.POST)
    if not form.is_valid():
        return answer(request, mistakes(form), messages.WARNING, request.path, 422)
    try:
        result = operations.revoke_key(key.name, actor=request.user.get_username(), reason=form.cleaned_data["reason"])
    except (KeyRefused, AuditUnavailable) as error:
        return _not_done(request, error)
    return answer(request, result.sentence, messages.SUCCESS, reverse("console:ingest"))


@never_cache
@needs(VIEW_CONSOLE)
@require_safe
def waiting(request: Request, key_id: int) -> HttpResponse:
    """Whether anything came with a key yet; for htmx only when that changed, so that nothing is read out twice."""
    context = {"page": "ingest", "key": _key(key_id), **_arrival(key_id)}
    if not is_partial(request):
        return render(request, "console/waiting.html", context)
    if request.GET.get("state") == context["arrival"]:
        return HttpResponse(status=204)
    return render(request, "console/_waiting.html", context)


@never_cache
@require_POST
@needs(MANAGE_MAPPINGS)
def map_severity(request: Request) -> HttpResponse:
    """What a severity that no table knows is from now on."""
    form, back = SeverityForm(request.POST), reverse("console:ingest")
    if not form.is_valid():
        return answer(request, "Name a severity and its priority.", messages.WARNING, back, 422)
    wanted = form.cleaned_data
    try:
        return do(
            request,
            lambda actor: operations.map_severity(wanted["source"], wanted["word"], wanted["priority"], actor=actor),
            back,
        )
    except MappingRefused as refused:
        return answer(request, str(refused), messages.WARNING, back, 422)


def _unmapped() -> list[UnknownWord] | None:
    """None: Redis does not answer."""
    try:
        return unknown_words.read()
    except redis.RedisError:
        return None


def _arrival(key_id: int) -> dict[str, Any]:
    try:
        counts = sources.of_key(key_id)
    except redis.RedisError:
        return {"arrival": "unknown", "counts": None}
    stored = counts.accepted + counts.duplicates
    arrival: Arrival = "arrived" if stored else "refused" if counts.refused else "waiting"
    return {"arrival": arrival, "counts": counts}


def _key(key_id: int) -> Key:
    for key in keyring.all_keys():
        if key.id == key_id:
            return key
    raise Http404("no such key")


def _asked(request: Request, template: str, form: Form) -> HttpResponse:
    context = {"page": "ingest", "form": form, "vendors": VENDORS}
    return render(request, template, context, status=422 if form.is_bound else 200)


def _not_done(request: Request, error: Exception) -> HttpResponse:
    status = 409 if isinstance(error, KeyRefused) else 503
    return answer(request, str(error), messages.ERROR, reverse("console:ingest"), status)


def _shown(request: Request, made: NewSecret, *, rotated: bool = False, vendor: Vendor = VENDORS[0]) -> HttpResponse:
    """The only page that ever has the secret."""
    sends = "ingest" in made.key.scopes
    told = set_up(vendor, address(request), made.secret) if sends else None
    context = {
        "page": "ingest",
        "key": made.key,
        "secret": made.secret,
        "url": f"{address(request)}{vendor.path}",
        "rotated": rotated,
        "vendor": vendor,
        "told": told,
        "waits": sends and not rotated,
        "arrival": "waiting",
        "counts": None,
    }
    return render(request, "console/key_secret.html", context)
