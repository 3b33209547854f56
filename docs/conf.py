"""Sphinx configuration: MyST pages, Google docstrings, a gate table and a table of transforms."""

import json
import re
from pathlib import Path
from typing import Any

import quilt_func as qf

project = "quilt_func"
author = "The quilt_func developers"
copyright = author  # noqa: A001  # Sphinx reads this name
release = version = qf.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "substitution"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "quilt_func"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_custom_sections = ["Transforms"]
napoleon_use_ivar = True
napoleon_use_param = False
napoleon_use_rtype = False


def _gate_table() -> str:
    """The gate rows as a Markdown table."""
    lines = ["| gate | wires | angles | what it is | tags |", "|---|---|---|---|---|"]
    for row in qf.GATES:
        tags = ", ".join(sorted(row.tags - {"unitary"}))
        lines.append(f"| `{row.name}` | {row.n_wires} | {row.n_params} | {row.doc} | {tags} |")
    return "\n".join(lines)


def _channel_table() -> str:
    """The channel rows as a Markdown table."""
    lines = ["| channel | wires | strengths | what it is | mixture |", "|---|---|---|---|---|"]
    for row in qf.noise.CHANNELS:
        names, mixture = ", ".join(row.param_names), "✓" if row.mixture else ""
        lines.append(f"| `{row.name}` | {row.n_wires} | {names} | {row.doc} | {mixture} |")
    return "\n".join(lines)


def _transform_table() -> str:
    """What `tests/transforms/support.py` found of every public function, as a Markdown table."""
    found = json.loads((Path(__file__).parent / "_static" / "transforms.json").read_text("utf8"))
    marks = {"holds": "✓", "refused": "refused", "not applicable": "–", "fails": "**no**"}
    names = list(next(iter(found.values())))
    lines = [f"| function | {' | '.join(f'`{name}`' for name in names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for function, row in found.items():
        lines.append(f"| `{function}` | {' | '.join(marks[row[name]] for name in names)} |")
    return "\n".join(lines)


myst_substitutions = {
    "gate_table": _gate_table(),
    "channel_table": _channel_table(),
    "transform_table": _transform_table(),
}

_CODE_MATHS_BAR = re.compile(r"(?<!`)`([^`]+)`(?!`)|\$([^$]+)\$|(\|)")


def _to_rest(match: re.Match[str]) -> str:
    code, maths, _ = match.groups()
    if code is not None:
        joins = r"\ " if match.string[match.end() :][:1].isalnum() else ""
        return f"``{' '.join(code.split())}``{joins}"
    return r"\|" if maths is None else f":math:`{' '.join(maths.split())}`"


def _read_as_markdown(*event: Any) -> None:
    """Turn a docstring's `code`, $maths$ and |kets⟩ into Sphinx's own marks; examples stay."""
    lines: list[str] = event[-1]
    paragraphs = "\n".join(lines).split("\n\n")
    is_example = [">>> " in paragraph for paragraph in paragraphs]
    pairs = zip(paragraphs, is_example, strict=True)
    text = "\n\n".join(p if kept else _CODE_MATHS_BAR.sub(_to_rest, p) for p, kept in pairs)
    lines[:] = text.split("\n")


def setup(app: Any) -> None:
    """Read docstrings before napoleon does."""
    app.connect("autodoc-process-docstring", _read_as_markdown, priority=100)
