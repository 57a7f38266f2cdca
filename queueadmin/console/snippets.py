"""Lines that send an event: a first one, for whoever connects a source, or one that was sent before."""

import json
import shlex
from dataclasses import dataclass

EVENT = {"title": "First event", "severity": "info"}


@dataclass(frozen=True, slots=True)
class Snippet:
    id: str
    language: str
    text: str


def snippets(url: str, secret: str) -> tuple[Snippet, ...]:
    """For a key's secret, which is of letters, digits, - and _ and so needs no quoting."""
    event = json.dumps(EVENT)
    curl = f"""curl {url} \\
  -H 'Authorization: Bearer {secret}' \\
  -H 'Content-Type: application/json' \\
  -d '{event}'"""
    python = f"""import json
import urllib.request

request = urllib.request.Request(
    "{url}",
    data=json.dumps({event}).encode(),
    headers={{"Authorization": "Bearer {secret}", "Content-Type": "application/json"}},
)
print(urllib.request.urlopen(request, timeout=10).read().decode())"""
    return Snippet("snippet-curl", "curl", curl), Snippet("snippet-python", "Python", python)


def again(url: str, text: str, *, kind: str, source: str) -> str:
    """The command that sends an event once more, whose JSON this is, without its credentials; "": it is no object.

    The key is taken from the environment.
    """
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(event, dict):
        return ""
    named = {name: value for name, value in (("kind", kind), ("source", source)) if value and name not in event}
    # What was sent is repeated as it was written: JSON has numbers that Python has not.
    head = "".join(f"{json.dumps(name)}: {json.dumps(value)}, " for name, value in named.items())
    body = text.strip().replace("{", "{" + head, 1) if event else json.dumps(named)
    return f"""curl {shlex.quote(url)} \\
  -H "Authorization: Bearer $QUEUEADMIN_KEY" \\
  -H 'Content-Type: application/json' \\
  --data-binary {shlex.quote(body)}"""
