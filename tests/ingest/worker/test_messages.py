"""Messages in a worker: what is kept of a run, and for how long (D1, D11)."""

from collections.abc import Callable

import pytest

from ingest.kinds import KINDS, Kind
from ingest.kinds.messages import message_kind
from ingest.queue import keys
from tests.ingest.kinds import test_messages
from tests.ingest.kinds.test_messages import SAID, TOKEN
from tests.ingest.worker.conftest import Work


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Kind]:
    def register(name: str) -> Kind:
        kind = message_kind(f"{test_messages.__name__}.{name}")
        monkeypatch.setitem(KINDS, "message", kind)
        return kind

    return register


@pytest.mark.both_databases
@pytest.mark.parametrize("name", ["sync_handler", "async_handler"])
def test_d11_nothing_that_redis_keeps_of_a_run_holds_the_credential(
    work: Work, answering: Callable[[str], Kind], name: str
) -> None:
    answering(name)
    good, bad = work.put(SAID, {**SAID, "message": "fail"}, kind="message", retry_delays=())
    work.off()
    assert work.result(good) == {"sent_with": "•••", "reply": "HELLO, WORLD!"}
    assert work.dead() == [bad]
    assert work.field(bad, "error_message") == "https://chat.example.org/bot•••/send answered 502"
    for job_id in (good, bad):
        kept = [*work.redis.lrange(keys.log(job_id), 0, -1), *work.redis.hvals(keys.job(job_id))]
        kept += [value for _, entry in work.redis.xrange(keys.results(job_id)) for value in entry.values()]
        data = work.redis.hget(keys.job(job_id), "data")
        assert not any(TOKEN.encode() in value for value in kept if value != data)


def test_d1_a_result_is_kept_from_the_end_of_its_processing(work: Work) -> None:
    (job_id,) = work.put(SAID, kind="message", result_ttl=100)
    assert work.redis.ttl(keys.job(job_id)) == -1, "what waits never ends"
    work.off()
    assert 95 < work.redis.ttl(keys.job(job_id)) <= 100
