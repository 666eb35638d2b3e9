"""Write checkpoints completely or not at all, and read them wherever they lie now."""

import io
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from lab_kit import atomic_write
from lab_kit.version import IN_CHECKPOINTS, course_version


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write a checkpoint whole or not at all: until the new one is complete, the one before it stays.

    What a checkpoint says of other checkpoints is read as if they lay beside it: a run's folder may have been moved.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: object | None = None
    ) -> None:
        """Write `checkpoint` to `path`; raises OSError where that fails."""
        # By way of memory, because torch.save turns a full disk into errors of many kinds.
        content = io.BytesIO()
        torch.save(checkpoint | {IN_CHECKPOINTS: course_version()}, content)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write.write_bytes(content.getbuffer(), path)

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the content of the checkpoint `path`; the other arguments are those of TorchCheckpointIO."""
        content, folder = super().load_checkpoint(path, *args, **kwargs), Path(path).parent
        for state in content.get("callbacks", {}).values():
            # A ModelCheckpoint forgets its scores in another folder. (The learning-rate finder keeps a file elsewhere.)
            if "best_model_path" in state and PureWindowsPath(state["dirpath"]).name == folder.name:
                state.update(_beside(state, folder.resolve()))
        return content


def _beside(state: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return those entries of a ModelCheckpoint's state that hold paths, with the paths changed to `folder`."""

    def moved(path: str) -> str:
        return path and str(folder / PureWindowsPath(path).name)  # which knows both kinds of slashes

    best = {moved(path): score for path, score in state["best_k_models"].items()}
    names = ("best_model_path", "kth_best_model_path", "last_model_path")
    return {"dirpath": str(folder), "best_k_models": best} | {name: moved(state[name]) for name in names}
