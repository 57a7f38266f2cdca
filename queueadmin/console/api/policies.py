"""How long dead letters are kept: policies listed, set, removed."""

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from ingest.queue.connections import connection, server_time
from queueadmin.console import operations, policies
from queueadmin.console.access.permissions import MANAGE_POLICIES
from queueadmin.console.api.base import ConsoleView, invalid_field, key_of, member, reason_of, whole_number
from queueadmin.console.models import RetentionPolicy


class PoliciesView(ConsoleView):
    writing = MANAGE_POLICIES

    def get(self, request: Request) -> Response:
        now = server_time(connection())
        found = RetentionPolicy.objects.order_by("fingerprint")
        return Response({"items": [policies.shown(policy, now) for policy in found]})

    def post(self, request: Request) -> Response:
        """In place of the one before for the same."""
        group = member(request, "group")
        if group is not None and not isinstance(group, str):
            raise invalid_field("group", "group must be a text.")
        try:
            done = operations.set_policy(
                group=group or "",
                keep_days=whole_number(request, "keep_days"),
                keep_count=whole_number(request, "keep_count"),
                actor=self.caller.actor,
                reason=reason_of(request),
            )
        except operations.BadPolicy as error:
            raise invalid_field(error.field, str(error)) from error
        return Response(policies.shown(done.policy, done.policy.set_at) | {"done": done.sentence})


class PolicyView(ConsoleView):
    writing = MANAGE_POLICIES

    def get(self, request: Request, policy: str) -> Response:
        return Response(policies.shown(_policy(policy), server_time(connection())))

    def delete(self, request: Request, policy: str) -> Response:
        found = _policy(policy)
        reason = reason_of(request)
        shown = policies.shown(found, server_time(connection()))
        done = operations.remove_policy(found, actor=self.caller.actor, reason=reason)
        return Response(shown | {"done": done.sentence})


def _policy(number: str) -> RetentionPolicy:
    """Raises ProblemError 404."""
    found = RetentionPolicy.objects.filter(pk=key_of(number)).first()
    if found is None:
        raise ProblemError(
            Problem(404, "policy_not_found", "No such policy", f"No policy has the number {number[:50]}.")
        )
    return found
