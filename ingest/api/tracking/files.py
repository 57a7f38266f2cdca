"""A file out of a form: multipart/form-data, read by Django's own parser, in memory."""

from dataclasses import dataclass
from io import BytesIO

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import MemoryFileUploadHandler, StopUpload
from django.http.multipartparser import MultiPartParser, MultiPartParserError

from ingest.api.tracking.given import missing, unreadable

FIELD = "file"


@dataclass(frozen=True, slots=True)
class File:
    #: As the sender calls it; it is looked at for its ending alone.
    name: str
    content: bytes
    #: The form's own device_id; "" for none.
    device_id: str


class _InMemory(MemoryFileUploadHandler):
    """The body is in memory already, and below the limit of the wire."""

    def handle_raw_input(self, *args: object, **kwargs: object) -> None:
        self.activated = True


def read_form(content_type: str, body: bytes) -> File:
    """The form's one file. Raises ProblemError."""
    meta = {"CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body))}
    try:
        fields, files = MultiPartParser(meta, BytesIO(body), [_InMemory()]).parse()
    except (
        MultiPartParserError,
        StopUpload,
        SuspiciousOperation,
        TooManyFieldsSent,
        TooManyFilesSent,
        RequestDataTooBig,
    ):
        raise unreadable("The form cannot be read as multipart/form-data.") from None
    found = files.get(FIELD)
    if found is None:
        raise missing(f"The form must hold a file in its field {FIELD}.")
    return File(found.name or "", found.read(), fields.get("device_id", ""))
