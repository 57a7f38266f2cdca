"""A stock client's id comes back from an address and a form as it was, whatever it holds (issue 8 part 1)."""

import random
from urllib.parse import unquote

import pytest
import redis
from django.urls import resolve, reverse

from ingest.queue import keys
from queueadmin.console.job_address import LONGEST, address, job_id_of

#: What addresses, browsers, forms, databases or terminals make something else of.
ODD = (
    *("a/b", "../../etc", "..", ".", "~", "~YQ", "100%", "%2F", "%2e%2e", "a b", " a", "a ", "a,b", "a?b#c", "a&b=c"),
    *(
        "a\\b",
        "ü/ñ",
        "日本 語",
        "👩\u200d🔧",
        "nul\0id",
        "\0",
        "a\nb",
        "\r\n",
        "tab\t",
        "a\u202eb",
        "'\"<b>",
        "{% id %}",
    ),
    *("x" * 255, "y" * 256, "z" * 4_000, "…sha256:" + "0" * 64, "retry", "jobs/x/retry/"),
)


def rename(client: redis.Redis, old: str, new: str, *, queue: str = "high") -> str:
    """Let a dead letter have another id; which."""
    client.rename(keys.job(old), keys.job(new))
    score = client.zscore(keys.failed(queue), old)
    client.zrem(keys.failed(queue), old)
    client.zadd(keys.failed(queue), {new: score})
    return new


@pytest.mark.parametrize("name", ["console:job", "console:retry_job", "console-api:job", "console-api:job-retry"])
def test_an_address_leads_to_the_job(name: str) -> None:
    for job_id in ODD:
        path = reverse(name, args=[job_id])
        found = resolve(unquote(path))
        assert (found.view_name, found.kwargs) == (name, {"job_id": job_id})
        assert len(path) < LONGEST
        assert not {"..", "."} & set(path.split("/"))


def test_ours_are_what_they_are() -> None:
    for job_id in ("0192f0c4b7a87d3e9a51c2d3e4f50617", "a.b:c@d+e=f-g_h", "Ümläut"):
        assert address(job_id) == job_id == job_id_of(job_id)


def test_whatever_it_is_it_comes_back() -> None:
    chosen = random.Random(8)
    for _ in range(500):
        job_id = "".join(chosen.choice("ab/.~%\\ \0\n\u202eü👩") for _ in range(chosen.randint(0, 8)))
        assert job_id_of(address(job_id)) == job_id


@pytest.mark.parametrize("wrong", ["~%", "~ü", "~A", "~_w", "~a b"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a job id"):
        job_id_of(wrong)
