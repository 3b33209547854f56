"""Sphinx configuration: MyST pages, Google docstrings, and a gate table read from the rows."""

import quilt_func as qf

project = "quilt_func"
author = "The quilt_func developers"
release = version = qf.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "substitution"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "quilt_func"
html_static_path = ["_static"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_rtype = False


def _gate_table() -> str:
    """The gate rows as a Markdown table."""
    lines = ["| gate | wires | angles | what it is | tags |", "|---|---|---|---|---|"]
    for row in qf.GATES:
        tags = ", ".join(sorted(row.tags - {"unitary"}))
        lines.append(f"| `{row.name}` | {row.n_wires} | {row.n_params} | {row.doc} | {tags} |")
    return "\n".join(lines)


myst_substitutions = {"gate_table": _gate_table()}
