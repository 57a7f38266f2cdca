"""Views of the dead letters that people saved."""

from queueadmin.console import saved_views as views
from queueadmin.console.failures.counting import ALL, SPANS
from queueadmin.console.failures.triage import SORTS
from queueadmin.console.openapi.lists import all_of
from queueadmin.console.openapi.parts import (
    LINKS,
    MOMENT,
    Operations,
    Schema,
    body,
    example,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    ref,
    text,
)

_TAG = "Dead letters"


def saved_view_shapes() -> dict[str, Schema]:
    """Components: SavedView, SavedViews."""
    view: dict[str, Schema] = {
        "id": {"type": "integer"},
        "name": text("Its name."),
        "filter": text("As in lists of jobs."),
        "span": nullable(text("The time that the bars show.")),
        "sort": nullable(text("The order of the causes.")),
        "shared": {"type": "boolean", "description": "For all, not its owner alone."},
        "owner": text("Who saved it."),
        "created_at": MOMENT,
        "links": LINKS,
    }
    return {
        "SavedView": members(view),
        "SavedViews": all_of("SavedView"),
    }


def saved_views() -> Operations:
    wanted: Schema = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": text("Replaces your own one of this name.", minLength=1, maxLength=views.NAME),
            "filter": nullable(text("As in lists of jobs.", maxLength=2_000)),
            "span": {"enum": [*SPANS, ALL, "", None], "description": "The time that the bars show."},
            "sort": {"enum": [*SORTS, "", None], "description": "The order of the causes."},
            "shared": {"type": ["boolean", "null"], "description": "For all; it is in the audit log then."},
        },
    }
    number = parameter("view", "path", "Its number.", {"type": "string", "maxLength": 18, "example": "3"})
    sent = {"name": "zabbix today", "filter": "source:zabbix since:24h", "sort": "last"}
    return {
        "/api/v1/dlq/views": {
            "get": operation(
                "listSavedViews",
                _TAG,
                "Saved views",
                "Your own, and those that are for all.",
                scope="read",
                answers={200: json_answer("The views.", ref("SavedViews"))},
                errors=(),
            ),
            "post": operation(
                "saveView",
                _TAG,
                "Save a view",
                "A filter under a name, for yourself or for all.",
                scope="read",
                request=body("The view.", wanted, examples={"default": example(sent)}, required=True),
                answers={200: json_answer("Saved.", ref("SavedView"))},
                errors=(413, 415, 422),
            ),
        },
        "/api/v1/dlq/views/{view}": {
            "get": operation(
                "getSavedView",
                _TAG,
                "A saved view",
                "Your own, or one that is for all.",
                scope="read",
                parameters=[number],
                answers={200: json_answer("The view.", ref("SavedView"))},
                errors=(404,),
            ),
            "delete": operation(
                "deleteSavedView",
                _TAG,
                "Delete a saved view",
                "One that is for all and not yours needs the permission to triage; it is in the audit log.",
                scope="read",
                parameters=[number],
                answers={200: json_answer("The view, which is deleted.", ref("SavedView"))},
                errors=(404,),
            ),
        },
    }
