"""The documents: every page's and docstring's examples run, and the commands they give are real.

The examples themselves are collected by `conftest.py`, page by page and line by line. Here the
collection is shown to see them all, and to fail on a wrong one.
"""

import importlib
import inspect
import re
import shlex
from doctest import ELLIPSIS
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser
from sybil.parsers.rest import DocTestParser

import quilt_func as qf

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(text, languages):
    return [body for language, body in FENCE.findall(text) if language in languages]


def commands(text):
    """Commands as words, with comments, prompts and line breaks taken out."""
    joined = text.replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in joined.splitlines())
    return [shlex.split(line, comments=True) for line in lines if shlex.split(line, comments=True)]


def contains(line, command):
    """Whether a line of words runs a command, perhaps after settings or with more options."""
    starts = range(len(line) - len(command) + 1)
    return any(line[i : i + len(command)] == command for i in starts)


def is_test(command):
    """`pytest`, `python -m pytest`, `nox` or `uv run pytest`, with whatever settings."""
    return any(Path(word).name in {"pytest", "nox", "tox"} for word in command)


def test_readme_tells_how_to_test():
    shell = "\n".join(blocks((ROOT / "README.md").read_text("utf8"), {"sh", "bash", "shell"}))
    assert any(map(is_test, commands(shell))), "README.md has no test command in a ```sh block"


def test_ci_runs_the_readmes_test_command():
    shell = "\n".join(blocks((ROOT / "README.md").read_text("utf8"), {"sh", "bash", "shell"}))
    script = commands((ROOT / ".ci" / "run").read_text("utf8"))
    for command in filter(is_test, commands(shell)):
        assert any(contains(line, command) for line in script), (
            f".ci/run does not run README.md's `{shlex.join(command)}`"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_are_collected(page, request):
    """Each Python block is an example of a parser that the test run uses."""
    sybil = Sybil(parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)])
    examples = list(sybil.parse(page).examples())
    found = len(blocks(page.read_text("utf8"), {"python"}))
    assert len(examples) >= found


def test_the_collection_fails_on_a_wrong_example(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\n>>> 1 + 1\n3\n```\n\n```python\nassert False\n```\n", "utf8")
    sybil = Sybil(parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS)])
    for example in sybil.parse(page).examples():
        with pytest.raises(AssertionError):
            example.evaluate()


def test_the_collection_sees_docstrings():
    sybil = Sybil(
        parsers=[DocTestParser(ELLIPSIS)], document_types={".py": PythonDocStringDocument}
    )
    document = sybil.parse(ROOT / "quilt_func" / "measurement.py")
    text = (ROOT / "quilt_func" / "measurement.py").read_text("utf8")
    assert len(list(document.examples())) == text.count(">>> ")


def test_testpaths_hold_all_documents(pytestconfig):
    assert {"tests", "quilt_func", "README.md", "docs"} <= set(pytestconfig.getini("testpaths"))
    plugins = [type(plugin).__name__ for plugin in pytestconfig.pluginmanager.get_plugins()]
    assert plugins.count("Collector") == 2, "pages and docstrings"


def door(module):
    """Where a name of a room is imported from: a room that is a folder has a door."""
    return ".".join(module.split(".")[:2]) if "testing" not in module else module


def reference():
    """Modules of the reference pages, each with the names that it is limited to, if any."""
    text = "\n".join(page.read_text("utf8") for page in (ROOT / "docs" / "api").glob("*.md"))
    found = re.findall(r"automodule:: (\S+)\n +:members:([^\n]*)", text)
    return {
        module: {name.strip() for name in names.split(",") if name.strip()}
        for module, names in found
    }


def test_every_public_name_is_in_the_reference():
    modules = reference()
    for name in set(qf.__all__) - {"GATES", "testing", *(row.name for row in qf.GATES)}:
        value = getattr(qf, name)
        module = door(value.__name__ if inspect.ismodule(value) else value.__module__)
        assert module in modules, f"{name} is missing in docs/api/"
        is_there = inspect.ismodule(value) or not modules[module] or name in modules[module]
        assert is_there, f"{name} is missing in docs/api/"
    room = qf.instruments
    assert set(room.__all__) <= modules[room.__name__]
    assert "{{ gate_table }}" in (ROOT / "docs" / "api" / "gates.md").read_text("utf8")


def public_things():
    """Each function and class of the reference pages, by its full name."""
    for module, names in reference().items():
        room = importlib.import_module(module)
        for name in sorted(names or getattr(room, "__all__", vars(room))):
            value = getattr(room, name)
            is_documented = inspect.isfunction(value) or inspect.isclass(value)
            if is_documented and door(value.__module__) == module and not name.startswith("_"):
                yield pytest.param(value, id=f"{module}.{name}")


@pytest.mark.parametrize("thing", list(public_things()))
def test_every_public_name_has_an_example(thing):
    assert ">>> " in thing.__doc__


@pytest.mark.parametrize("thing", list(public_things()))
def test_every_public_function_tells_its_transforms(thing):
    is_about_tests = thing.__module__.startswith("quilt_func.testing")
    assert inspect.isclass(thing) or is_about_tests or "Transforms:" in thing.__doc__
