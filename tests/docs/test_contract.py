"""docs/contract.md says what the code has, and lists honestly what it has not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.core.management import get_commands
from django.urls import URLPattern, URLResolver, get_resolver

REPOSITORY = Path(__file__).resolve().parents[2]
CONTRACT = (REPOSITORY / "docs" / "contract.md").read_text()
OURS = {"ingest", "queueadmin.console"}


def _section(number: int) -> str:
    return re.split(r"^## \d\. ", CONTRACT, flags=re.MULTILINE)[number + 1]


NOT_BUILT = _section(0)
PROMISED = CONTRACT.replace(NOT_BUILT, "")


def _code(text: str) -> list[str]:
    """Everything between backticks; a cell's `\\|` is a plain bar."""
    return [found.replace("\\|", "|") for found in re.findall(r"`([^`\n]+)`", text)]


# --- commands ------------------------------------------------------------------------------------


def _commands(text: str) -> set[str]:
    named = re.findall(r"manage\.py ([a-z_-]+)", " ".join(_code(text)))
    return set(named)


def _make_targets(text: str) -> set[str]:
    return {word for code in _code(text) for word in re.findall(r"^make ([a-z-]+)", code)}


def test_every_command_of_ours_is_in_the_contract() -> None:
    built = {name for name, app in get_commands().items() if app in OURS}
    assert built <= _commands(PROMISED)
    assert not built & _commands(NOT_BUILT)


def test_every_promised_command_is_built_or_listed_as_not_built() -> None:
    assert _commands(PROMISED) - _commands(NOT_BUILT) <= set(get_commands())


def test_every_make_target_is_in_the_contract_and_the_other_way_round() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    built = set(re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)) - {"help"}
    assert built == _make_targets(PROMISED) - _make_targets(NOT_BUILT)


# --- settings ------------------------------------------------------------------------------------


#: What `queueadmin.environment` reads a variable by.
_READERS = {"text", "flag", "number", "names"}


def _settings_read() -> set[str]:
    """Every environment variable that settings.py and the start read."""
    found: set[str] = set()
    for path in ("queueadmin/settings.py", "queueadmin/run/first_start.py"):
        for node in ast.walk(ast.parse((REPOSITORY / path).read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _READERS:
                found |= {name for argument in node.args if (name := _variable(argument))}
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and (name := _variable(node.left)):
                found.add(name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "startswith":
                found |= {f"{begin}<KIND>" for argument in node.args if (begin := _variable(argument))}
            elif isinstance(node, ast.Constant) and str(node.value).startswith("QUEUEADMIN_"):
                found |= {name} if (name := _variable(node)) else set()
    return found


def _variable(node: ast.expr) -> str | None:
    """A variable's name, `WAIT_TARGET_<PRIORITY>` for one that is put together."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(part.value) if isinstance(part, ast.Constant) else "<PRIORITY>" for part in node.values]
        text = "".join(parts)
    else:
        text = str(node.value) if isinstance(node, ast.Constant) else ""
    return text if re.fullmatch(r"[A-Z][A-Z_]+(<[A-Z]+>)?", text) else None


def _settings(text: str) -> set[str]:
    found = (re.match(r"[A-Z][A-Z_]+(<[A-Z]+>)?(?=[\s=]|$)", code) for code in _code(text))
    return {name[0] for name in found if name}


def test_every_setting_that_is_read_is_in_the_contract() -> None:
    assert {"PORT", "REDIS_URL", "WAIT_TARGET_<PRIORITY>", "SECRET_KEY", "REDIS_TIMEOUT"} <= _settings_read()
    assert _settings_read() <= _settings(_section(2))


def test_every_promised_setting_is_read_or_listed_as_not_built() -> None:
    assert _settings(_section(2)) - _settings(NOT_BUILT) <= _settings_read()


# --- paths ---------------------------------------------------------------------------------------


def _patterns(resolver: URLResolver, before: str = "/") -> Iterator[str]:
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield re.sub(r"<[^>]+>", "{}", path)
        elif entry.app_name == "admin":  # Django's own, documented as a whole
            yield path
        else:
            yield from _patterns(entry, path)


def _paths(text: str) -> set[str]:
    """`/a/{id}` and `/b/<name>/` → `/a/{}`, `/b/{}/`; `x|y` at the end is two paths."""
    found = set()
    for code in _code(text):
        for word in re.findall(r"(?:^|[ ,])(/[^\s?,]*)", code):
            start, _, last = re.sub(r"\{\w+\}|<\w+>", "{}", word).rpartition("/")
            found |= {f"{start}/{name}" for name in last.split("|")}
    return found


def _built_paths() -> set[str]:
    from queueadmin.console.live.routing import websocket_urlpatterns

    return set(_patterns(get_resolver())) | {f"/{route.pattern}" for route in websocket_urlpatterns}


def test_every_path_is_in_the_contract() -> None:
    assert sorted(_built_paths() - _paths(PROMISED)) == []


def test_every_promised_path_is_built_or_listed_as_not_built() -> None:
    missing = _paths(_section(3) + _section(4)) - _paths(NOT_BUILT) - _built_paths()
    assert sorted(missing) == []
