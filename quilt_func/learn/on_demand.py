"""Estimators by name: their modules, and scikit-learn with them, are imported when asked for."""

import sys
from importlib import import_module
from typing import Any

PLACES = {
    "QuantumClassifier": "classification",
    "QuantumFeatures": "features",
    "QuantumKernel": "kernels",
    "QuantumRegressor": "regression",
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module 'quilt_func.learn' has no attribute {name!r}")
    try:
        module = import_module(f"quilt_func.learn.{PLACES[name]}")
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "sklearn":
            raise
        raise ImportError(
            f"quilt_func.learn.{name}: `scikit-learn` must be installed, but it is not. Install "
            "the extra with `pip install 'quilt-func[learn]'`."
        ) from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules["quilt_func.learn"]), *PLACES})
