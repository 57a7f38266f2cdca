"""A real Valkey of one's own, with a socket and data in a folder."""

import subprocess
from pathlib import Path

import redis

from tests.waiting import wait_until

#: A test may set another one; `empty_redis` gives the next test this one again.
MAXMEMORY = "512mb"


class Valkey:
    """A server that tests may also kill and start again on the same files."""

    def __init__(self, folder: Path, *, fsync: str = "no") -> None:
        self.folder = folder
        self.url = f"unix://{folder}/valkey.sock"
        self._fsync = fsync
        self.start()

    def start(self) -> None:
        from queueadmin.run.valkey import find_server, server_arguments

        arguments = server_arguments(self.folder, maxmemory=MAXMEMORY, fsync=self._fsync)
        self.process = subprocess.Popen(
            [str(find_server()), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self.answers, what="Valkey's first answer")

    def answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
