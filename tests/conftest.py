"""Shared set-up: hypothesis profiles, the oracles' import path, documents as tests, CUDA.

`HYPOTHESIS_PROFILE=deep` draws thousands of new examples per law; the default, `ci`, replays the
same few every time, and `fast`, for the mutation run, a handful.
"""

import os
import sys
from doctest import ELLIPSIS
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings
from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

from quilt_func._torch import fast_functions, primitive, public_functions

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the package `oracles`
sys.path.insert(0, str(ROOT / "tests" / "transforms"))  # the module `support`
sys.path.insert(0, str(ROOT / "tests" / "sharded"))  # the module `rank_pools`

if "PYTEST_XDIST_WORKER" in os.environ:
    # workers share the cores: threads of many, waiting for one another, are ten times slower
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that a test starts

SLOW_DRAWS = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "ci", max_examples=40, derandomize=True, deadline=None, suppress_health_check=SLOW_DRAWS
)
settings.register_profile(
    "deep", max_examples=2000, deadline=None, suppress_health_check=SLOW_DRAWS, print_blob=True
)
settings.register_profile(
    "fast", max_examples=5, derandomize=True, deadline=None, suppress_health_check=SLOW_DRAWS
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

PAGES = Sybil(
    path=str(ROOT),
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    parsers=[PythonCodeBlockParser(doctest_optionflags=ELLIPSIS), SkipParser()],
)
DOCSTRINGS = Sybil(
    path=str(ROOT / "quilt_func"),
    patterns=["*.py", "**/*.py"],
    parsers=[DocTestParser(ELLIPSIS)],
    document_types={".py": PythonDocStringDocument},
)


@pytest.fixture(scope="module", params=["fast", "public"])
def each_route(request):
    """Functions by torch's private names, and by its public `autograd.Function`."""
    route = {"fast": fast_functions.apply, "public": public_functions.apply}[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(primitive, "route", route)
        yield


class Collector:
    """A plugin, since a conftest's own hook sees only the files below it."""

    def __init__(self, sybil):
        self.pytest_collect_file = sybil.pytest()


def pytest_configure(config):
    for sybil in (PAGES, DOCSTRINGS):
        config.pluginmanager.register(Collector(sybil))


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
