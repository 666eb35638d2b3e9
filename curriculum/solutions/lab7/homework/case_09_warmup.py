"""Case 9. A schedule: the loss is `nan` after some hundred steps, and the same rate works elsewhere."""

import torch


def schedule(optimizer: torch.optim.Optimizer, warmup: int, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """Let the learning rate rise from (nearly) 0 to the optimizer's own in `warmup` steps, and then fall to 0.

    At step k, from 0, the learning rate is lr * (k + 1) / warmup as long as k < warmup, and then
    lr * (steps - k) / (steps - warmup).
    """

    def factor(k: int) -> float:
        if k < warmup:
            return (k + 1) / warmup
        return max(0, steps - k) / (steps - warmup)

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
