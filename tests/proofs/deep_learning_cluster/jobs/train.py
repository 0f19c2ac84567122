"""A training job for `torchrun`: data parallel over gloo, which goes on from where it was when nodes change.

Usage: train.py STEPS. Each rank keeps a checkpoint in its own home. After a change of nodes the rank that has come
farthest gives its state to all, so no file system has to be shared. Each rank prints its rank, its host, the step that
this round began with, the first and the last loss ever, and the weights.
"""

# pyright: basic, reportMissingImports=false

import json
import os
import socket
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

RATE, ROWS, FEATURES, PAUSE = 0.1, 64, 16, 0.05


def main(steps):
    """Train for so many steps in all, and say how it went."""
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    torch.manual_seed(rank)  # ranks begin apart, and see rows of their own
    model = torch.nn.Linear(FEATURES, 1, bias=False)
    kept = Path.home() / f"checkpoint-{os.environ['TORCHELASTIC_RUN_ID']}-{os.environ['LOCAL_RANK']}.pt"
    begun, first = resume(model, kept)
    parallel = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(parallel.parameters(), lr=RATE)
    rows = torch.randn(ROWS, FEATURES)
    wanted = rows @ torch.arange(FEATURES, dtype=torch.float32).unsqueeze(1)
    for step in range(begun, steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(parallel(rows), wanted)
        loss.backward()
        optimizer.step()
        total = loss.detach()
        dist.all_reduce(total)
        first = first or total.item()
        save(kept, step + 1, first, model)
        time.sleep(PAUSE)
    result = {"rank": rank, "host": socket.gethostname(), "begun": begun, "first": first,
              "last": total.item(), "weights": model.weight.flatten().tolist()}  # fmt: skip
    print(json.dumps(result), flush=True)
    dist.destroy_process_group()


def resume(model, kept):
    """The step to go on with and the first loss, as the rank knows them that has come farthest; the weights as well."""
    step, first = 0, 0.0
    if kept.exists():
        step, first, state = torch.load(kept)
        model.load_state_dict(state)
    mine = torch.tensor([step, first], dtype=torch.float64)
    found = [torch.zeros_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(found, mine)
    farthest = max(range(len(found)), key=lambda each: found[each][0].item())
    dist.broadcast(model.weight.data, src=farthest)
    return int(found[farthest][0]), found[farthest][1].item()


def save(kept, *what):
    """Keep it in one step, since a rank may be ended at any time."""
    *facts, model = what
    partial = kept.with_suffix(".partial")
    torch.save((*facts, model.state_dict()), partial)
    partial.replace(kept)


if __name__ == "__main__":
    main(int(sys.argv[1]))
