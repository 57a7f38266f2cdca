"""The trash: what one operation put there is brought back, and a queue's is deleted for good."""

from rest_framework.request import Request
from rest_framework.response import Response

from ingest.api.problems import Problem, ProblemError
from ingest.queue.connections import connection
from queueadmin.console import operations, replays, undoing
from queueadmin.console.access.permissions import PURGE_TRASH, RESTORE_JOBS
from queueadmin.console.api.base import ConsoleView, invalid_field, known_queue, member, reason_of
from queueadmin.console.operations import ReplayResult


class UndoView(ConsoleView):
    """POST answers with what came back, or 202 with the replay that brings many back; 409 when nothing is left."""

    writing = RESTORE_JOBS

    def post(self, request: Request, operation: str) -> Response:
        reason = reason_of(request)
        name = undoing.name_of(connection(), operation)
        if name is None:
            raise ProblemError(
                Problem(404, "operation_not_found", "No such operation", f"The log has no entry {operation[:50]}.")
            )
        done = operations.undo(name, actor=self.caller.actor, reason=reason)
        if isinstance(done, ReplayResult):
            where = replays.shown(done.replay)["links"]["self"]
            said = {"restored": 0, "left": [], "replay": done.replay.pk, "done": done.sentence}
            return Response(said, status=202, headers={"Location": where})
        if not done.restored and not done.left:
            raise ProblemError(Problem(409, "nothing_to_undo", "Nothing to undo", done.sentence))
        left = [
            {"id": job_id, "state": where.state, "moved_by": where.moved_by, "moved_at": where.moved_at}
            for job_id, where in done.left.items()
        ]
        return Response({"restored": done.restored, "left": left, "replay": None, "done": done.sentence})


class PurgeView(ConsoleView):
    """POST deletes what is in the queue's trash, when its name is typed once more and a reason is given."""

    writing = PURGE_TRASH

    def post(self, request: Request) -> Response:
        queue, typed = known_queue(member(request, "queue")), member(request, "confirm")
        if not isinstance(typed, str):
            raise invalid_field("confirm", "confirm is missing: the name of the queue once more.")
        try:
            gone = operations.purge_trash(queue, typed=typed, actor=self.caller.actor, reason=reason_of(request))
        except operations.WrongName as error:
            raise invalid_field("confirm", str(error)) from error
        return Response({"queue": queue, "deleted": gone.gone, "left": gone.left, "done": gone.sentence})
