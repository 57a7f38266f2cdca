"""Taking in by Django REST framework: the same answers as the fast lane, for WSGI and with it turned off."""

import functools
from dataclasses import replace
from time import perf_counter
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingest.accept import Unavailable, accept
from ingest.api import (
    admission,
    answers,
    batches,
    dropins,
    idempotency,
    intake,
    limits,
    mappings,
    positions,
    preferences,
    resolving,
    tally,
)
from ingest.api.access import Visit, visit
from ingest.api.answers import Answer
from ingest.api.errors import exception_handler
from ingest.api.idempotency import Keyed
from ingest.api.inflate import inflate
from ingest.api.intake import Endpoint, Head
from ingest.api.keys import Sender, authenticate, credential, require
from ingest.api.problems import ProblemError


class TakeInView(APIView):
    """Takes in what is posted to one endpoint. Keys are checked here, not by the framework's classes."""

    endpoint: Endpoint = intake.EVENTS
    http_method_names = ("post", "options")
    renderer_classes = (JSONRenderer,)
    this: Visit

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        # First of all that dispatch does, so that errors too carry the id and are logged.
        self.this = visit(request.method, self.endpoint.path, request.META.get("REMOTE_ADDR"), _headers(request))
        return super().initialize_request(request, *args, **kwargs)

    def post(self, request: Request) -> HttpResponse:
        try:
            answer = self._take_in(request)
        except ProblemError as error:
            answer = answers.problem_answer(error.problem)
        answer = dropins.dressed(self.endpoint, answer)
        return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type, headers=answer.headers)

    def _take_in(self, request: Request) -> Answer:
        headers, peer, host = _headers(request), request.META.get("REMOTE_ADDR"), request.get_host()
        body = None
        elsewhere = intake.url_key(self.endpoint, request.META.get("QUERY_STRING", ""))
        if self.endpoint.key_member and credential(headers) is None:
            # The key is in the body, so that comes first.
            body = _read(request, intake.check_head(self.endpoint, headers))
            elsewhere = intake.body_key(self.endpoint, body)
        sender = authenticate(headers, peer=peer, host=host, elsewhere=elsewhere)
        self.this.sender = sender.name
        with tally.refusals(sender):
            require(sender, "ingest")
            head = intake.check_head(self.endpoint, headers, request.META["QUERY_STRING"])
            admission.check(sender, status=self.endpoint.over_rate)
            if body is None:
                body = _read(request, head)
            store = functools.partial(self._store, head, body, sender)
            return idempotency.once(self.endpoint, head, body, sender, store)

    def _store(self, head: Head, body: bytes, sender: Sender, keyed: Keyed | None) -> Answer:
        """A body's events into a store."""
        # Here as well, since under an Idempotency-Key a refusal leaves `once` as an answer.
        with tally.refusals(sender):
            return self._store_read(head, body, sender, keyed)

    def _store_read(self, head: Head, body: bytes, sender: Sender, keyed: Keyed | None) -> Answer:
        began = perf_counter()
        if self.endpoint.hook is not None and self.endpoint.hook.check is not None:
            self.endpoint.hook.check(body)
        taken = intake.read_body(self.endpoint, head, body, sender, mappings.current())
        self.this.events = len(taken.items)
        tally.read(sender, taken.items)
        tally.truncated(sender, self.endpoint.vendor, taken.truncated)
        taken = replace(taken, items=resolving.with_open_priority(sender, taken.items))
        prefer = preferences.read(head.headers)
        with tally.all_or_nothing(sender, taken.events):
            answers.check_strict(taken, prefer)
        taken = replace(taken, items=admission.admit(sender, taken.items, status=self.endpoint.over_rate))
        with tally.all_or_nothing(sender, taken.events):
            answers.check_strict(taken, prefer)
        events = idempotency.named(taken, keyed).events
        try:
            receipts = accept(events, strict=prefer.strict) if events else []
        except Unavailable as error:
            problem = answers.unavailable(error)
            tally.unstored(sender, events, problem)
            raise ProblemError(problem) from None
        tally.stored(sender, receipts, perf_counter() - began)
        position = positions.position(self.endpoint, receipts)
        answer = answers.answer(self.endpoint, taken, receipts, prefer, position=position)
        batches.keep(answer.batch, sender)
        return answer

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        # Allow is set by the framework, whose own answer shows a docstring and media types that are refused here.
        return Response(status=204)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        # Answers are JSON whatever Accept says, as on the fast lane.
        return super().perform_content_negotiation(request, force=True)

    def get_parsers(self) -> list[BaseParser]:
        return []

    def get_exception_handler(self) -> Any:
        return exception_handler

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        final["X-Request-Id"] = self.this.request_id
        self.this.log(final.status_code)
        return final


class HookView(TakeInView):
    """One vendor's webhook, named by the path."""

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        vendor = kwargs.pop("vendor")
        if (endpoint := intake.HOOKS.get(f"{intake.HOOKS_PATH}{vendor}")) is None:
            raise Http404
        self.endpoint = endpoint
        super().setup(request, *args, **kwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("vendor", None)
        return super().dispatch(request, *args, **kwargs)


def _read(request: Request, head: Head) -> bytes:
    """The whole body, unpacked."""
    # Not `body`: Django refuses to read one of more than DATA_UPLOAD_MAX_MEMORY_SIZE.
    body = request._request.read(limits.WIRE_BYTES + 1)
    if len(body) > limits.WIRE_BYTES:
        raise limits.body_too_large()
    return inflate(head.encoding, body)


def _headers(request: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}
