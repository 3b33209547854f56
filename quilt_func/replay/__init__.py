"""`jit`: a function traced once below all transforms, then replayed as a flat list of operations.

Glossary: the *trace* is the graph of torch's own operations; the *draft* is a trace that is being
made shorter; a *program* is a draft that an *executor* runs. All are of one signature: tree of the
arguments, shapes, dtypes and device of their tensors, values of all else.
"""

from quilt_func.replay.entry import Jitted, jit

__all__ = ["Jitted", "jit"]
