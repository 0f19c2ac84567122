"""Every rank gives its number plus one, a million times, to MPI_Allreduce; each prints the sum of all, and where.

By Open MPI's library itself, whose constants are addresses of symbols: no binding has to be installed.
"""

from __future__ import annotations

import json
import socket
from ctypes import CDLL, RTLD_GLOBAL, addressof, byref, c_char, c_int, c_void_p
from itertools import repeat

LENGTH = 1_000_000


def main() -> None:
    """One rank."""
    mpi = CDLL("libmpi.so.40", mode=RTLD_GLOBAL)
    world, integer, add = (
        c_void_p(addressof(c_char.in_dll(mpi, f"ompi_mpi_{name}")))
        for name in ("comm_world", "int32_t", "op_sum")
    )
    rank, size = c_int(), c_int()
    mpi.MPI_Init(None, None)
    mpi.MPI_Comm_rank(world, byref(rank))
    mpi.MPI_Comm_size(world, byref(size))
    given, total = (c_int * LENGTH)(*repeat(rank.value + 1, LENGTH)), (c_int * LENGTH)()
    mpi.MPI_Allreduce(given, total, LENGTH, integer, add, world)
    sums = sorted(set(total))
    print(json.dumps({"rank": rank.value, "size": size.value, "host": socket.gethostname(), "sums": sums}))
    mpi.MPI_Finalize()


if __name__ == "__main__":
    main()
