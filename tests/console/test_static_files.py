"""Static files: ours made smaller when they are collected, imports under the names that are served."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import override_settings

SCRIPT = """// Starts the page.
import { other } from './other.js';
const late = () => import('./late.js'); // when it is first asked for
other(`two  spaces`, late);
"""


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[Path]:
    source, target = tmp_path / "source", tmp_path / "static"
    for name, text in {
        "console/page.js": SCRIPT,
        "console/other.js": "export const other = console.log;\n",
        "console/late.js": "export const late = 1;\n",
        "console/page.css": '/* A word. */\n@import "parts/b.css";\n@import "parts/i.css";\n',
        "console/parts/b.css": "/* Another. */\np > b {\n  color: red;\n}\n",
        "console/parts/i.css": "i { color: blue; }\n",
        "vendor/theirs.js": "// Keeps its comment.\n",
    }.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    stored = {"staticfiles": {"BACKEND": "queueadmin.console.static_files.ModuleStorage"}}
    finder = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    with override_settings(STATICFILES_DIRS=[source], STATIC_ROOT=target, STORAGES=stored, STATICFILES_FINDERS=finder):
        finders.get_finder.cache_clear()
        call_command("collectstatic", verbosity=0, interactive=False)
        yield target
    finders.get_finder.cache_clear()


def test_what_is_served_is_small_and_whole(collected: Path) -> None:
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    served = {name: (collected / names[name]).read_text() for name in names}
    script = served["console/page.js"]
    assert "//" not in script
    assert "`two  spaces`" in script
    assert re.search(r'from"?\s?"\./other\.[0-9a-f]{12}\.js"', script)
    assert re.search(r'import\("\./late\.[0-9a-f]{12}\.js"\)', script)
    assert served["console/page.css"] == "p>b{color:red}i{color:blue}", "one request"
    assert served["vendor/theirs.js"] == "// Keeps its comment.\n"


def test_the_sources_stay_readable(collected: Path) -> None:
    assert (collected / "console/page.js").read_text() == SCRIPT


@pytest.mark.parametrize(
    "source", sorted((settings.BASE_DIR / "static" / "console").glob("*.js")), ids=lambda it: it.name
)
def test_no_template_stands_in_a_template(source: Path) -> None:
    """rjsmin takes the inner one for code, and its spaces away: "3jobs"."""
    nested = re.compile(r"`[^`\n]*\$\{[^}`\n]*`")
    assert [line for line in source.read_text().splitlines() if nested.search(line)] == []
