"""Devices, where each was last, and how much comes of it."""

from ingest.kinds.points import STREAMS
from queueadmin.console import devices as reading
from queueadmin.console.api import devices as views
from queueadmin.console.openapi.lists import page_of, paging
from queueadmin.console.openapi.parts import (
    MOMENT,
    Operations,
    Schema,
    json_answer,
    members,
    nullable,
    operation,
    parameter,
    ref,
    text,
)


def device_shapes() -> dict[str, Schema]:
    """Components: Device, Devices."""
    number = {"type": ["number", "null"]}
    device: dict[str, Schema] = {
        "device_id": text("Its own name."),
        "tenant": nullable(text("Whose it is.")),
        "last_time": {**MOMENT, "description": "Of its newest point, by the device's clock."},
        "lat": {"type": "number", "description": "That point's, as the following."},
        "lon": {"type": "number"},
        "alt": number,
        "speed": number,
        "stream": {"enum": list(STREAMS)},
        "points": {"type": "integer", "minimum": 0, "description": "How many were kept, ever."},
        "per_minute": {
            "type": "number",
            "minimum": 0,
            "description": f"Points a minute, by the device's clock, of the last {reading.MINUTES} minutes.",
        },
        "last_job": nullable(text("The job that brought the newest point; null: the point is not kept any more.")),
        "first_received_at": MOMENT,
        "last_received_at": MOMENT,
    }
    return {
        "Device": members(device),
        "Devices": page_of("Device"),
    }


def devices() -> Operations:
    return {
        "/api/v1/devices": {
            "get": operation(
                "getDevices",
                "Devices",
                "The devices",
                "By tenant and name: the newest point of each, how many were kept, and how many come.",
                scope="read",
                parameters=[
                    parameter(
                        "text",
                        "query",
                        "Stands in the name, or in the tenant, in any case.",
                        {"type": "string", "maxLength": views.TEXT_LENGTH},
                    ),
                    *paging("Devices"),
                ],
                answers={200: json_answer("The devices.", ref("Devices"))},
                errors=(422,),
            )
        }
    }
