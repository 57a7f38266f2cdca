"""A message's response token: on no page, in no answer of the API, in no export and no log (D11)."""

from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from ingest import client
from ingest.kinds import KINDS
from ingest.kinds.messages import message_kind
from tests.ingest.kinds import test_messages
from tests.ingest.worker.conftest import Work, work  # noqa: F401 - a fixture

SENT = {
    "user_id": "user123",
    "message": "Hello, world!",
    "source_type": "telegram",
    "message_id": "1",
    "response_token": test_messages.TOKEN,
}


@pytest.mark.django_db(transaction=True)
def test_d11_no_page_answer_or_export_shows_the_response_token(
    work: Work,  # noqa: F811
    sign_in: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither while it waits nor as a dead letter whose error holds it, nor when it was answered with it."""
    monkeypatch.setitem(KINDS, "message", message_kind(f"{test_messages.__name__}.sync_handler"))
    token = test_messages.TOKEN
    browser = sign_in("ada", "admin")
    ids = [client.enqueue("message", **{**SENT, "message_id": number}).id for number in "12"]
    client.update_payload(ids[1], client.payload(ids[1]) | {"message": "fail"})

    def everything() -> str:
        paths = [f"/jobs/{each}/" for each in ids] + [f"/api/v1/jobs/{each}" for each in ids]
        paths += ["/jobs/?filter=kind:message", "/dead-letters/", "/dead-letters/?filter=kind:message", "/ingest/"]
        paths += ["/api/v1/jobs?filter=kind:message", "/api/v1/jobs?filter=state:failed", "/", "/audit/"]
        answers = [browser.get(path) for path in paths]
        assert [answer.status_code for answer in answers] == [200] * len(paths)
        for command in (["export", "--format=csv"], ["export", "--format=jsonl"], ["list"]):
            with suppress(CommandError):  # none matches before the first one fails
                call_command("dlq", *command)
        shown = capsys.readouterr()
        return "".join(answer.content.decode() for answer in answers) + shown.out + shown.err + caplog.text

    assert token not in everything()
    work.off()
    for _ in range(5):
        client.run_now(ids[1])
        work.off()
    assert [client.get(each).state for each in ids] == ["finished", "failed"]
    shown = everything()
    assert "answered 502" in shown
    for form in (token, quote(token), quote(token, safe="")):
        assert form not in shown
    assert client.payload(ids[1])["response_token"] == token, "code of the project has it"
