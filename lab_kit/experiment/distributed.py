"""Helpers for training in several processes: rank, seeds, weights and test batches."""

import os
from typing import TypeVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import distributed

T = TypeVar("T")

# What gloo, the way in which CPUs talk to each other, says when the other end is gone.
LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "gloo/transport", "Connection refused")


def rank() -> int:
    """Return which process this is, from 0; known before there is a Trainer."""
    return rank_zero_only.rank


def processes_on_this_machine(accelerator: str, devices: str | int | list[int]) -> int:
    """Return how many processes share this machine's cores, as torchrun says or as the flags do."""
    if "LOCAL_WORLD_SIZE" in os.environ:
        return int(os.environ["LOCAL_WORLD_SIZE"])
    return max(1, int(devices)) if accelerator == "cpu" and str(devices).isdecimal() else 1


def seed_per_rank(seed: int) -> None:
    """Give each process other random numbers: with the same, all would drop out the same neurons."""
    if rank() > 0:
        torch.manual_seed(seed + rank())


def broadcast_weights(trainer: pl.Trainer, model: pl.LightningModule) -> None:
    """Give the weights of the first process to all: another machine may not see the file that they came from."""
    if trainer.world_size > 1:
        model.load_state_dict(trainer.strategy.broadcast(model.state_dict()))


def is_lost_peer(error: BaseException) -> bool:
    """Return whether an error says that another process of this run is gone: killed, or cut off from the network."""
    if not distributed.is_available() or not distributed.is_initialized() or distributed.get_world_size() < 2:
        return False
    kinds = (distributed.DistBackendError, distributed.DistNetworkError, distributed.DistStoreError)
    return isinstance(error, kinds) or any(words in str(error) for words in LOST)


def gather_in_order(batches: list[T]) -> list[T]:
    """Return the batches of all processes in the dataset's order, given those of this one.

    The processes have as many each, and take turns: see `text_recognizer.data.dataset.Batches`.
    """
    if not distributed.is_initialized():
        return batches
    everyones: list[list[T]] = [[] for _ in range(distributed.get_world_size())]
    distributed.all_gather_object(everyones, batches)
    return [batch for turn in zip(*everyones, strict=True) for batch in turn]
