"""The faults, in the order of the table. Each is a function that brings one and takes it away again, under load.

A new fault is a function in `faults_of_…` and an entry here.
"""

from typing import Final

from tests.chaos import faults_of_databases as databases
from tests.chaos import faults_of_programs as programs
from tests.chaos import faults_of_redis as redis
from tests.chaos.product import Setup
from tests.chaos.scene import Fault

PROXIED: Final = Setup(proxied=True)

FAULTS: Final = (
    Fault("worker-idle", "kill -9 of a worker that waits", programs.idle_worker),
    Fault("worker-busy", "kill -9 of each worker in mid-batch", programs.busy_worker),
    Fault("worker-stopped", "SIGSTOP of a worker for four leases, then SIGCONT", programs.stopped_worker),
    Fault("web", "kill -9 of the web process, twice", programs.web),
    Fault(
        "web-again", "kill -9 of the web process at moments of chance for two minutes", programs.web_again, pause=0.3
    ),
    Fault(
        "web-and-valkey",
        "the same while Valkey is stopped and started: first copies in one store, repeats in the other",
        redis.valkey_and_web,
        pause=0.3,
    ),
    Fault("maintenance", "kill -9 of maintenance, twice", programs.maintenance),
    Fault("valkey", "kill -9 of Valkey, twice", redis.valkey_killed),
    Fault("valkey-stopped", "Valkey accepts connections and answers nothing for 4 s", redis.valkey_stopped),
    Fault("valkey-away", "Valkey stopped for a minute", redis.valkey_away, pause=0.3),
    Fault(
        "valkey-away-django",
        "the same with INGEST_FAST_LANE=0",
        redis.valkey_away,
        pause=0.3,
        setup=Setup(settings=(("INGEST_FAST_LANE", "0"),)),
    ),
    Fault("valkey-file-limit", "Valkey's file may not grow for 12 s", redis.file_limit),
    Fault("valkey-full", "maxmemory reached for 4 s, then raised", redis.valkey_full),
    Fault("valkey-read-only", "Valkey a replica of nobody for 4 s", redis.valkey_read_only),
    Fault("valkey-slow", "every command up to 0.3 s later, some 1 s, for 6 s", redis.valkey_slow, setup=PROXIED),
    Fault(
        "valkey-forgetful", "one answer of Valkey's in thirty lost, for 6 s", redis.valkey_replies_lost, setup=PROXIED
    ),
    Fault("held-back", "rate limits and pauses while each program is killed, twice", redis.held_back, pause=0.3),
    Fault("disk-full", "the home's disk full for 12 s", databases.disk_full, setup=Setup(disk=160)),
    Fault("database-stopped", "PostgreSQL shut down in mid-batch for 4 s", databases.database_away, ("postgresql",)),
    Fault("database-killed", "kill -9 of a backend in mid-batch, twice", databases.database_killed, ("postgresql",)),
    Fault("database-read-only", "PostgreSQL takes no writes for 4 s", databases.database_read_only, ("postgresql",)),
    Fault(
        "database-slow",
        "each message up to 0.3 s later, for 6 s",
        databases.database_slow,
        ("postgresql",),
        setup=PROXIED,
    ),
    Fault(
        "database-forgetful",
        "one answer of PostgreSQL's in thirty lost, for 6 s",
        databases.database_replies_lost,
        ("postgresql",),
        setup=PROXIED,
    ),
    Fault("database-locked", "SQLite's write lock held for 4 s", databases.database_away, ("sqlite",)),
    Fault(
        "alone",
        "REDIS=false: kill -9 of the one process at moments of chance for two minutes",
        programs.web_again,
        pause=0.6,
        setup=Setup(settings=(("REDIS", "false"),)),
    ),
    Fault(
        "restarted",
        "SIGTERM to a worker, web and maintenance in turn, then a stop and a start of all",
        programs.restarted,
    ),
    Fault("storm", "all of that at once, in an order of chance", programs.storm),
    Fault("everything", "kill -9 of all processes at once, then a new start", programs.everything),
    Fault(
        "poison",
        "events that kill their worker, break it or never end, among good ones",
        programs.poison,
        rare={"crash": 1, "segfault": 1, "hang": 1},
    ),
)
