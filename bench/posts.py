"""Alerts posted one at a time on 32 connections: how many are accepted in a second, and how long one takes.

The Python of the load generator runs beside the servers, so its share of a core stands in the note; against a
server that only answers it reaches what stands there too.
"""

from collections.abc import Iterator

from bench import corpus, web
from bench.ground import Ground, Unmeasured
from bench.report import Goal, Peer, Row

CONNECTIONS = 32
DAPHNE, GUNICORN = web.PEERS


def rows(ground: Ground) -> Iterator[Row]:
    bodies = corpus.lines(ground.size(2_000))
    with web.idle(ground) as server:
        ceiling = server.post(bodies, connections=CONNECTIONS)
    ground.empty()
    with web.ours(ground, ground.environment(), path="/api/alerts/event") as server:
        own = server.post(bodies, connections=CONNECTIONS)
    if own["refused"]:
        raise Unmeasured(f"{own['refused']} were refused")
    rates, times, costs = [], [], [f"this project {own['cost']}"]
    for name in web.PEERS:
        ground.empty()
        try:
            with web.peer(ground, name) as server:
                seen = server.post(bodies, connections=CONNECTIONS)
            if seen["refused"]:
                raise Unmeasured(f"{seen['refused']} were refused")
        except Unmeasured as error:
            rates.append(Peer(name, None, str(error)))
            times.append(Peer(name, None, str(error)))
        else:
            rates.append(Peer(name, seen["accepted"]))
            times.append(Peer(name, seen["p99_ms"]))
            costs.append(f"{name} {seen['cost']}")
    note = (
        f"a request costs, in µs of a core (web + Valkey): {'; '.join(costs)};"
        f" the load generator used {own['processor']:.0%} of a core, and reaches"
        f" {ceiling['accepted']:,.0f} requests/s against a server that only answers"
    )
    yield Row(
        "posts", "single POSTs accepted, 32 connections", "requests/s", "more", own["accepted"], tuple(rates),
        (Goal(6, DAPHNE), Goal(1.8, GUNICORN)), note,
    )  # fmt: skip
    yield Row("posts", "their p99", "ms", "less", own["p99_ms"], tuple(times), (Goal(60),))
