"""What `torch.compile` must not look into: this library.

Dynamo, which reads Python for `torch.compile`, drops the forward rules of Functions without a word
and knows nothing of plans that are cached. So it is to leave every function of the package as it
is, with all that is called there. That is what `torch.compiler.disable` asks for; but that imports
dynamo, which takes longer than all else.
"""

from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch

REASON = "quilt_func runs as it stands: leave out `fullgraph=True` and `strict=True`"


def hide(module: ModuleType) -> None:
    """Let dynamo call what a module defines, but neither trace it nor enter its frames."""
    for function in _functions(module, module.__name__):
        function.__dict__.update(_torchdynamo_disable=True, _torchdynamo_disable_msg=REASON)
        for code in _codes(function.__code__):
            _leave_alone(code)


def _found_leave_alone() -> Callable[[CodeType], None]:
    """What tells dynamo to run a frame, and all that is called from there, as it stands.

    A torch that lacks these names has only the marks on functions.
    """
    try:
        frames: Any = torch._C._dynamo.eval_frame
        skip = frames._FrameAction.SKIP
        tell, as_it_stands = frames.set_code_exec_strategy, frames._FrameExecStrategy(skip, skip)
    except AttributeError:
        return lambda _: None
    return lambda code: tell(code, as_it_stands)


_leave_alone = _found_leave_alone()


def _functions(space: ModuleType | type, module: str) -> Iterator[FunctionType]:
    """Functions that a module and its classes define, without their wrappers."""
    for value in list(vars(space).values()):
        inner = getattr(value, "fget", getattr(value, "__func__", value))
        inner = getattr(inner, "__wrapped__", inner)
        if getattr(inner, "__module__", None) != module:
            continue
        if isinstance(inner, FunctionType):
            yield inner
        elif isinstance(inner, type):
            yield from _functions(inner, module)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of the functions within."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
