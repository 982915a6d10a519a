"""Looks at open decisions, without a log."""

import numpy as np

from agent.open_look import OpenLook
from envs.rows import Rows


def look(number, rows, base=0, first=0, expiry_ms=None, partition=0):
    """A look at rows that are named by their one feature, which is their number as well."""
    row_R = np.array(rows, dtype=np.int64)
    new_R = row_R[row_R >= first]
    one_R1, key_R = new_R[:, None].astype(np.float32), np.zeros(len(new_R), np.int64)
    zero_R = np.zeros(len(new_R), np.float32)
    new = Rows(one_R1, one_R1, one_R1, key_R, key_R, zero_R, np.ones(len(new_R)), key_R, zero_R, one_R1[:, 0], key_R)
    return OpenLook(
        number=number,
        base=base,
        new=new if len(new_R) else None,
        first=first,
        row_R=row_R,
        partition_R=np.full(len(row_R), partition),
        expiry_ms_R=row_R if expiry_ms is None else np.array(expiry_ms),
        age_ms_R=np.zeros(len(row_R)),
        reward_R=np.zeros(len(row_R), np.float32),
        share_R=np.ones(len(row_R)),
        window_ms=100,
    )
