# Debian's python3-torch, double precision: one update of the network 50-64-64-64-1 on 491 points by Adam, without the
# rescaling of the weights.
#   torch_update.py THREADS SECONDS
# Prints the least microseconds of one update.
import sys
import time

import torch

threads, seconds = int(sys.argv[1]), float(sys.argv[2])
torch.set_num_threads(threads)
torch.set_default_dtype(torch.float64)
torch.manual_seed(1)
widths = [50, 64, 64, 64, 1]
layers = []
for before, after in zip(widths[:-1], widths[1:]):
    layers += [torch.nn.Linear(before, after), torch.nn.ReLU()]
network = torch.nn.Sequential(*layers[:-1])
adam = torch.optim.Adam(network.parameters(), lr=1e-3, maximize=True)
p, q = torch.randn(226, 50), torch.randn(265, 50) + 0.5
points = torch.cat([p, q])


def update():
    adam.zero_grad()
    phi = network(points)
    dual = phi[:226].mean() - torch.logsumexp(phi[226:], 0).sum()
    dual.backward()
    adam.step()


for _ in range(20):
    update()
best, start = 1e9, time.perf_counter()
while time.perf_counter() - start < seconds:
    began = time.perf_counter()
    update()
    best = min(best, time.perf_counter() - began)
print(f"{best * 1e6:.1f}")
