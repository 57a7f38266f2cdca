"""Where the generic hook finds its fields, said on a page: HTTP only. What counts is in `ingest.api.mappings`."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from ingest.api import keyring, mappings
from ingest.api.mappings import MappingRefused
from queueadmin.console import operations
from queueadmin.console.access.permissions import MANAGE_MAPPINGS
from queueadmin.console.pages.answers import answer, do, needs
from queueadmin.console.pages.forms import FieldsForm, FieldsOfForm
from queueadmin.console.request import Request


@never_cache
@needs(MANAGE_MAPPINGS)
@require_http_methods(["GET", "HEAD", "POST"])
def map_fields(request: Request) -> HttpResponse:
    """GET asks, with what counts now where the source has a mapping; POST says it anew."""
    back = reverse("console:ingest")
    if request.method != "POST":
        asked = FieldsOfForm(request.GET)
        source, key = (asked.cleaned_data["source"], asked.cleaned_data["key"]) if asked.is_valid() else ("", None)
        found = next((each for each in mappings.all_fields() if (each.source, each.key_id) == (source, key)), None)
        text = "\n".join(f"{name} = {path}" for name, path in (found.fields if found else {}).items())
        return _page(request, FieldsForm(initial={"source": source, "key": key, "fields_text": text}), 200)
    form = FieldsForm(request.POST)
    if not form.is_valid():
        return _page(request, form, 422)
    wanted = form.cleaned_data
    try:
        return do(
            request,
            lambda actor: operations.map_fields(
                wanted["source"], wanted["fields_text"], key_id=wanted["key"], actor=actor
            ),
            back,
        )
    except MappingRefused as refused:
        form.add_error("fields_text" if refused.field == "fields" else refused.field, str(refused))
        return _page(request, form, 422)


@never_cache
@require_POST
@needs(MANAGE_MAPPINGS)
def unmap_fields(request: Request) -> HttpResponse:
    """The usual names count again."""
    form, back = FieldsOfForm(request.POST), reverse("console:ingest")
    if not form.is_valid():
        return answer(request, "Name a source.", messages.WARNING, back, 422)
    wanted = form.cleaned_data
    try:
        return do(
            request,
            lambda actor: operations.unmap_fields(wanted["source"], key_id=wanted["key"], actor=actor),
            back,
        )
    except MappingRefused as refused:
        return answer(request, str(refused), messages.WARNING, back, 422)


def _page(request: Request, form: FieldsForm, status: int) -> HttpResponse:
    keys = [key for key in keyring.all_keys() if key.state == "active"]
    context = {"page": "ingest", "form": form, "keys": keys, "fields": mappings.FIELDS}
    return render(request, "console/map_fields.html", context, status=status)
