"""How static files are stored."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc] # untyped
    """Hashed names inside `import … from "./x.js"` too: a new release never mixes with a cached old module."""

    support_js_module_import_aggregation = True
