"""Write checkpoints completely or not at all."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from lab_kit import atomic_write


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint whole or not at all: until the new one is complete, the one before it stays."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object | None = None
    ) -> None:
        """Write `checkpoint` to `path`; raises OSError where that fails."""
        # By way of memory, because torch.save turns a full disk into errors of many kinds.
        content = io.BytesIO()
        torch.save(checkpoint, content)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write.write_bytes(content.getbuffer(), path)
