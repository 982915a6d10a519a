"""How many threads numpy's linear algebra takes."""

import os

_NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread_each() -> None:
    """One, in this process where numpy is not loaded yet, and in those that it starts; what is set already stays.

    With more, the others wait for work in a loop for some 200 ms after each product. On two cores that took most of one
    from everything else: a transaction took 110 ms instead of 14 where small products were made between two of them.
    """
    for name in _NAMES:
        os.environ.setdefault(name, "1")
