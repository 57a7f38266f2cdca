"""How static files are stored: our own made smaller, all under hashed names and compressed.

`release` tells one set of them from another.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from django.contrib.staticfiles.storage import StaticFilesStorage, staticfiles_storage
from django.core.files.base import ContentFile
from rcssmin import cssmin
from rjsmin import jsmin
from whitenoise.storage import CompressedManifestStaticFilesStorage

#: Comments and white space are a fifth of what is sent, after compression too. Others' files come made small.
_MINIFIERS: Final[Mapping[str, Callable[[str], str]]] = {".css": cssmin, ".js": jsmin}
_OURS: Final = "console/"
#: A style sheet of ours that is made of others names them so, on lines of their own.
_PART: Final = re.compile(r'^@import "([^"]+)";$', re.MULTILINE)


class ModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    """Hashed names inside `import … from "./x.js"` too: a new release never mixes with a cached old module.

    In our own scripts only: Django finds imports by pattern, and takes a word in a comment of
    htmx' for one.
    """

    support_js_module_import_aggregation = True
    _js_module_import_aggregation_patterns = (
        "console/*.js",
        CompressedManifestStaticFilesStorage._js_module_import_aggregation_patterns[1],
    )

    def post_process(
        self, paths: Mapping[str, tuple[StaticFilesStorage, str]], *args: Any, **options: Any
    ) -> Iterator[tuple[str, str, bool]]:
        """What is hashed and compressed is read through `_Smaller`; the sources stay as they are."""
        smaller = {
            name: (_Smaller(storage) if name.startswith(_OURS) and _suffix(name) in _MINIFIERS else storage, path)
            for name, (storage, path) in paths.items()
        }
        yield from super().post_process(smaller, *args, **options)


class _Smaller:
    """The part of a storage that post-processing reads from: files come without comments and white space.

    Style sheets come whole: an @import would be one more request, and the next only when it is read.
    """

    def __init__(self, storage: StaticFilesStorage) -> None:
        self._storage = storage

    def open(self, path: str) -> "ContentFile[bytes]":
        text = self._read(path)
        if _suffix(path) == ".css":
            folder = PurePosixPath(path).parent
            text = _PART.sub(lambda found: self._read(str(folder / found[1])), text)
        return ContentFile(_MINIFIERS[_suffix(path)](text).encode())

    def _read(self, path: str) -> str:
        with self._storage.open(path) as source:
            text: str = source.read().decode()
            return text


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix


def release() -> str:
    """Another one when any file changed, so that a page can tell that it is of before; "" where it is not known."""
    return str(getattr(staticfiles_storage, "manifest_hash", ""))
