"""The pages and their buttons: HTTP only. Reads come from queries and metrics, writes go to operations."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import redis
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, PasswordChangeView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import trigger_client_event
from django_htmx.middleware import HtmxDetails

from ingest.accept import Unavailable
from ingest.reading import payloads
from queueadmin.console import masking, metrics, operations, queries
from queueadmin.console.audit import AuditUnavailable
from queueadmin.console.forms import DeadLettersForm, LoginForm, SelectionForm
from queueadmin.console.life import life
from queueadmin.console.permissions import can_operate

View = Callable[..., HttpResponse]


class Request(HttpRequest):
    """A request as our middleware leaves it."""

    htmx: HtmxDetails


#: Rows of the list, and of the overview's latest.
PAGE_SIZE = 50
LATEST = 5
REDIS_AWAY = "Redis does not answer. Nothing can be shown or done until it is back."
OUTCOME_UNKNOWN = "Redis stopped answering. What was done until then shows in the list once it is back."


def operator_required(view: View) -> View:
    """Signed in and in the group operator or admin; others are refused, not asked to sign in again."""

    @wraps(view)
    def guarded(request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_authenticated:
            # After signing in they come back to the page; a button is never pressed by a redirect.
            return redirect_to_login(request.get_full_path() if request.method == "GET" else _back(request))
        if not can_operate(request.user):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


# --- pages -----------------------------------------------------------------------------------


@never_cache
@login_required
@require_safe
def overview(request: Request) -> HttpResponse:
    """The overview, or for htmx its latest dead letters alone."""
    snapshot = metrics.snapshot().as_dict()
    context = {"page": "overview", "snapshot": snapshot, "curl": _curl(request), "latest": _latest()}
    return render(request, "console/_latest.html" if _is_partial(request) else "console/overview.html", context)


@never_cache
@login_required
@require_safe
def dead_letters(request: Request) -> HttpResponse:
    """A page of dead letters, or for htmx its list alone."""
    form = DeadLettersForm(request.GET)
    if not form.is_valid():
        raise Http404("no such list")
    return _dead_letters(request, form.cleaned_data["queue"], form.cleaned_data["cursor"])


@never_cache
@login_required
@require_safe
def jobs(request: Request) -> HttpResponse:
    """Where the find box leads: the job with that id."""
    wanted = request.GET.get("id", "").strip()
    if not wanted or "/" in wanted or wanted in {".", ".."}:
        messages.warning(request, f"“{wanted}” is not a job id." if wanted else "Type a job's id to find it.")
        return redirect("console:overview")
    return redirect("console:job", wanted)


@never_cache
@login_required
@require_safe
def job(request: Request, job_id: str) -> HttpResponse:
    try:
        found = queries.job(job_id)
        carried = payloads.carried(job_id) if found else None
    except redis.RedisError:
        return render(request, "console/away.html", {"away": REDIS_AWAY}, status=503)
    if found is None or carried is None:
        return render(request, "console/no_job.html", {"job_id": job_id}, status=404)
    error = found["error"]
    context = {
        "page": "job",
        "job": found,
        "life": life(found),
        "payload": None if carried.body is None else masking.show(carried.body),
        "size": len(carried.body or b""),
        # Where the programs lie is nobody's business, and makes the lines short.
        "traceback": masking.masked_text(carried.traceback.replace(f"{settings.BASE_DIR}/", "")),
        "message": masking.masked_text((error or {}).get("message") or ""),
    }
    return render(request, "console/job.html", context)


class Login(LoginView):
    template_name = "console/login.html"
    form_class = LoginForm
    redirect_authenticated_user = True


class Account(PasswordChangeView):
    """Who is signed in, and a new password."""

    template_name = "console/account.html"
    success_url = reverse_lazy("console:account")
    extra_context = {"page": "account"}  # noqa: RUF012 - Django's own shape

    def form_valid(self, form: Any) -> HttpResponse:
        done = super().form_valid(form)
        messages.success(self.request, "Password changed. Other sessions of this account are signed out.")
        return done


# --- buttons ---------------------------------------------------------------------------------


@require_POST
@operator_required
def recover_stalled(request: Request) -> HttpResponse:
    return _do(request, lambda actor: operations.recover_stalled(actor=actor), reverse("console:overview"))


@require_POST
@operator_required
def send_test_event(request: Request) -> HttpResponse:
    def send(actor: str) -> _Said:
        receipt = operations.send_test_event(actor=actor)
        return _Said(f"Test event {receipt.id} accepted: it waits in {receipt.queue}.")

    return _do(request, send, reverse("console:overview"))


@require_POST
@operator_required
def retry_job(request: Request, job_id: str) -> HttpResponse:
    """One dead letter. htmx takes the row out itself, so nothing under the cursor moves."""
    return _do(request, lambda actor: operations.retry([job_id], actor=actor), _back(request))


@require_POST
@operator_required
def retry(request: Request) -> HttpResponse:
    """The dead letters that were ticked."""
    form = SelectionForm(request.POST)
    if not form.is_valid():
        return _answer(
            request, " ".join(map(str, form.non_field_errors())), messages.WARNING, _back(request), status=422
        )
    ids = form.cleaned_data["ids"]
    return _do(request, lambda actor: operations.retry(ids, actor=actor), _back(request), fresh_list=True)


@operator_required
@require_http_methods(["GET", "HEAD", "POST"])
def retry_all(request: Request) -> HttpResponse:
    """GET asks, POST does: every dead letter of one queue or of all."""
    form = DeadLettersForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        raise Http404("no such list")
    queue = form.cleaned_data["queue"]
    if request.method != "POST":
        return render(request, "console/retry_all.html", {"page": "dead-letters", "queue": queue, **_here(queue)})
    return _do(
        request, lambda actor: operations.retry_all(actor=actor, queue=queue or None), _back(request), fresh_list=True
    )


# --- how a button answers --------------------------------------------------------------------


class _Said:
    def __init__(self, sentence: str) -> None:
        self.sentence = sentence


def _do(request: Request, operation: Callable[[str], Any], back: str, *, fresh_list: bool = False) -> HttpResponse:
    """Run an operation and say in its own words what it did, as a toast or after a redirect."""
    try:
        sentence = operation(request.user.get_username()).sentence
    except (AuditUnavailable, Unavailable) as error:
        return _answer(request, str(error) or REDIS_AWAY, messages.ERROR, back, status=503)
    except redis.RedisError:
        return _answer(request, OUTCOME_UNKNOWN, messages.ERROR, back, status=503)
    return _answer(request, sentence, messages.SUCCESS, back, fresh_list=fresh_list)


def _answer(
    request: Request, sentence: str, level: int, back: str, *, status: int = 200, fresh_list: bool = False
) -> HttpResponse:
    if not request.htmx:
        messages.add_message(request, level, sentence)
        return redirect(back)
    response = HttpResponse(status=status)
    if fresh_list:
        response = _dead_letters(request, request.POST.get("queue", ""), "")
    return trigger_client_event(response, "said", {"text": sentence, "level": messages.DEFAULT_TAGS[level]})


def _back(request: Request) -> str:
    """The page the button stood on, when it is one of ours."""
    wanted = request.POST.get("next", "")
    hosts = {request.get_host()}
    if url_has_allowed_host_and_scheme(wanted, hosts, require_https=request.is_secure()):
        return wanted
    return reverse("console:dead_letters")


def _is_partial(request: Request) -> bool:
    return bool(request.htmx and not request.htmx.history_restore_request)


# --- what the templates show -----------------------------------------------------------------


def _dead_letters(request: Request, queue: str, cursor: str) -> HttpResponse:
    if queue not in settings.PRIORITIES:
        queue = ""
    # Counted before the list is read: what dies in between shows as new, never as seen.
    context = {"page": "dead-letters", "queue": queue, "cursor": cursor, **_here(queue)}
    template = "console/_dead_list.html" if _is_partial(request) else "console/dead_letters.html"
    try:
        context["rows"] = queries.dead_letters(queue=queue or None, cursor=cursor or None, limit=PAGE_SIZE)
    except queries.BadCursor:
        raise Http404("no such page of the list") from None
    except redis.RedisError:
        return render(request, template, context | {"away": REDIS_AWAY}, status=503)
    return render(request, template, context)


def _here(queue: str) -> dict[str, Any]:
    """The snapshot, and of it the dead letters now and ever of this queue or of all."""
    snapshot = metrics.snapshot().as_dict()
    own = next((q for q in snapshot["queues"] if q["name"] == queue), None)
    totals = snapshot["totals"]
    return {
        "snapshot": snapshot,
        "failed_here": own["failed"] if own else totals["failed"],
        "failures_here": own["dead"] if own else totals["failures"],
    }


def _latest() -> tuple[queries.DeadLetter, ...] | None:
    """The latest dead letters; None when Redis is away."""
    try:
        return queries.dead_letters(limit=LATEST).items
    except redis.RedisError:
        return None


def _curl(request: Request) -> str:
    """The line that sends an alert to this instance."""
    key = "-H 'X-API-KEY: <key>' " if settings.INGEST_REQUIRE_KEY else ""
    return (
        f"curl {request.build_absolute_uri('/api/alerts/event')} {key}-H 'Content-Type: application/json'"
        """ -d '{"title":"Disk 91 % full on db-04","severity":"high"}'"""
    )
