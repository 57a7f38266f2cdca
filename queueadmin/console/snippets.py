"""Lines that send a first event, for whoever connects a source."""

import json
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
