"""How many threads numpy's linear algebra takes."""

import os

_NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread_each() -> None:
    """One, in this process where numpy is not loaded yet, and in those that it starts: numpy reads this at its import.

    With more, the others wait for work in a loop for some 200 ms after each product; the processor's time, which the
    benchmarks of cost read, counts that.
    """
    os.environ.update(dict.fromkeys(_NAMES, "1"))
