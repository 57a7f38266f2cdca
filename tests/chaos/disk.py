"""A small disk of one's own, which can be filled: mounted by root, or not at all."""

import contextlib
import subprocess
import tempfile
from functools import cache
from pathlib import Path

BLOCK = b"\0" * 65_536


class SmallDisk:
    """`megabytes` of memory, mounted at `folder`. Raises CalledProcessError where that is not allowed."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "chaos", str(folder)],
            check=True,
            capture_output=True,
        )

    def fill(self) -> None:
        """To the last byte; what others give free meanwhile is theirs."""
        with self._ballast.open("ab", buffering=0) as file:
            for block in (BLOCK, BLOCK[:512], BLOCK[:1]):
                with contextlib.suppress(OSError):  # it is full
                    while file.write(block) == len(block):
                        pass

    def clear(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True, capture_output=True)


@cache
def can_be_mounted() -> bool:
    with tempfile.TemporaryDirectory(prefix="qa-disk-") as folder:
        try:
            SmallDisk(Path(folder), 1).remove()
        except (OSError, subprocess.CalledProcessError):
            return False
    return True
