# Debian's python3-torch, double precision, two threads: sum over a of w (y - x_a), w = (|y-x_a|^2 + eps)^(-p),
# for the rows of a table.
#   torch_step.py FILE N D S EPSILON ROWS REPEATS   FILE: n d doubles, one row per point
# Prints lines "form,rows,seconds": seconds for ROWS query rows against all N.
import sys
import time

import numpy
import torch

path, n, d, s, epsilon, rows, repeats = sys.argv[1:]
n, d, s, epsilon, rows, repeats = int(n), int(d), float(s), float(epsilon), int(rows), int(repeats)
torch.set_num_threads(2)
x = torch.from_numpy(numpy.fromfile(path, dtype=numpy.float64).reshape(n, d).copy())
p = s / 2 + 1


def broadcast(first, last):  # rows x n x d doubles at a time
    z = x[first:last, None, :] - x[None, :, :]
    w = ((z * z).sum(-1) + epsilon) ** -p
    return (w[:, :, None] * z).sum(1)


def cdist(first, last):  # y sum w - W x: one matrix product; it loses digits where a weight is large
    y = x[first:last]
    w = (torch.cdist(y, x) ** 2 + epsilon) ** -p
    return y * w.sum(1, keepdim=True) - w @ x


def chunked(form, chunk):
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        parts = [form(i, min(i + chunk, rows)) for i in range(0, rows, chunk)]
        best = min(best, time.perf_counter() - start)
    return torch.cat(parts), best


near, seconds = chunked(cdist, 1000)
print("cdist in blocks of rows,%d,%.6f" % (rows, seconds))
rows, kept = n, rows
whole, seconds = chunked(cdist, n)  # n x n tables: 1.8 GB each at n = 15,000
print("cdist in one piece,%d,%.6f" % (rows, seconds))
rows = kept
del whole
part, seconds = chunked(broadcast, 200)
print("broadcast,%d,%.6f" % (rows, seconds))
print("difference,%d,%.3g" % (rows, float((near - part).abs().max() / part.abs().max())))
