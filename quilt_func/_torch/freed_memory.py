"""Memory that is freed and taken again at each call.

The C library of Linux gives freed memory back to the system where it is more than a limit, and what
it takes again costs a page fault for every 4 KiB: states of 17 to 19 qubits took up to 2.3 times as
long. The limit is twice the largest block that it has ever seen freed, of those up to 32 MiB.

References:
    `man 3 mallopt`, M_MMAP_THRESHOLD, on the dynamic threshold.
"""

import torch

LARGEST = 2**25 - 2**16
"""Bytes of the largest block that counts, with room for what is kept beside it."""


def keep_freed_memory() -> None:
    """Free one large block that nothing has touched, so that up to 64 MiB are kept from then on.

    It takes microseconds and no memory. Other allocators have no such limit.
    """
    torch.empty(LARGEST, dtype=torch.uint8, device="cpu")
