"""How static files are stored."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


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
