"""A network for transfer learning: a pretrained body and a new head."""

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from lab_kit.absolute_path import AbsolutePath
from lab_kit.checks import check_sizes
from lab_kit.errors import UserError
from text_recognizer.data_config import DataConfig
from text_recognizer.models.resnet import ResNet

log = logging.getLogger(__name__)

Body = Literal["characters", "resnet18", "resnet34", "resnet50"]
DROPOUT = (0.25, 0.5)  # before the head's two linear layers
IMAGENET = "imagenet"


class AverageAndMaxPool(nn.Module):
    """The average and the maximum of each feature, side by side."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 C)."""
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)


class BatchNorm(nn.BatchNorm1d):
    """Batch norm that uses its running averages for a batch of one picture, which has no spread to divide by."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C) -> (B, C)."""
        if self.training and len(x) == 1:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class TransferNet(nn.Module):
    """A pretrained body, and a new head: pooling, then batch norm, dropout and a linear layer, twice.

    The head is that of fastai's vision learner (Howard and Gugger, arXiv:2002.04688).

    Args:
        data_config: shapes and classes of the data.
        body: `characters` is this course's ResNet; the others are torchvision's, for photos.
        pretrained: the body's weights. For `characters`, the checkpoint of a ResNet, or its run's folder; for the
            others `imagenet`: downloaded once, or found where torch keeps such files. None starts from scratch.
        conv_dim: channels of the first stage of the `characters` body, as in its run.
        num_blocks: residual blocks in each of its stages, as in its run.
        head_dim: neurons of the head's hidden layer.

    Raises:
        UserError: the weights are not there, or do not fit.
    """

    def __init__(
        self,
        data_config: DataConfig,
        body: Body = "characters",
        pretrained: Literal["imagenet"] | AbsolutePath | None = None,
        conv_dim: int = 32,
        num_blocks: int = 2,
        head_dim: int = 128,
    ) -> None:
        super().__init__()
        check_sizes(head_dim=head_dim)
        channels = data_config.input_dims[0]
        if body == "characters":
            stem, stages = _characters_body(channels, pretrained, conv_dim, num_blocks)
        else:
            stem, stages = _torchvision_body(body, channels, pretrained)
        self.stem, self.stages = stem, stages
        self.eval()  # or batch norm would learn from the empty picture below
        with torch.no_grad():
            features = self.stages(self.stem(torch.zeros(1, channels, 64, 64))).shape[1]
        self.train()
        self.head = nn.Sequential(
            AverageAndMaxPool(),
            BatchNorm(2 * features),
            nn.Dropout(DROPOUT[0]),
            nn.Linear(2 * features, head_dim),
            nn.ReLU(inplace=True),
            BatchNorm(head_dim),
            nn.Dropout(DROPOUT[1]),
            nn.Linear(head_dim, len(data_config.mapping)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, H, W) -> logits (B, classes)."""
        return self.head(self.stages(self.stem(images)))

    def layer_groups(self) -> list[list[nn.Module]]:
        """Return the layers in three groups: those that need to change least come first, the head comes last."""
        half = len(self.stages) // 2
        return [[self.stem, *self.stages[:half]], list(self.stages[half:]), [self.head]]


def _characters_body(
    channels: int, pretrained: str | None, conv_dim: int, num_blocks: int
) -> tuple[nn.Sequential, nn.Sequential]:
    if pretrained == IMAGENET:
        raise UserError("The weights of ImageNet are for --body resnet18, resnet34 or resnet50.")
    config = DataConfig(input_dims=(channels, 28, 28), output_dims=(1,), mapping=("any",))
    network = ResNet(config, conv_dim, num_blocks)
    if pretrained is not None:
        from lab_kit.experiment.checkpoint import read_checkpoint  # here, because prediction alone needs no Lightning

        path = Path(pretrained)
        path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
        content = read_checkpoint(path)
        trained_as = content["hyper_parameters"]["model_class"]
        if trained_as != "ResNet":
            raise UserError(f"{path} is a checkpoint of {trained_as}: the `characters` body is a ResNet.")
        weights = {name.removeprefix("model."): value for name, value in content["state_dict"].items()}
        _load(network, weights, first="stem.0.weight", path=path, flags="--conv_dim and --num_blocks as in its run")
    return network.stem, network.blocks


def _torchvision_body(body: str, channels: int, pretrained: str | None) -> tuple[nn.Sequential, nn.Sequential]:
    import torchvision  # here and below: it takes time to import, and most models do not need it

    network = torchvision.models.get_model(body)
    if channels != 3:
        old = network.conv1
        network.conv1 = nn.Conv2d(channels, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)
    if pretrained is not None:
        weights, path = _torchvision_weights(body, pretrained)
        _load(network, weights, first="conv1.weight", path=path, flags=f"--body {body} fits weights of that network")
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    return stem, nn.Sequential(network.layer1, network.layer2, network.layer3, network.layer4)


def _torchvision_weights(body: str, pretrained: str) -> tuple[dict[str, Tensor], Path]:
    """Return weights as torchvision publishes them, and the file they came from."""
    if pretrained != IMAGENET:
        path = Path(pretrained)
        try:
            return torch.load(path, map_location="cpu", weights_only=True), path
        except Exception as error:  # a damaged file can raise any error
            raise UserError(f"{path} is not a file of weights: {' '.join(str(error).split())[:200]}") from error
    import torchvision

    url = torchvision.models.get_model_weights(body).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    log.info("Weights of %s, trained on ImageNet: %s", body, path if path.is_file() else url)
    try:
        return torch.hub.load_state_dict_from_url(url, map_location="cpu", check_hash=True, weights_only=True), path
    except (OSError, RuntimeError, EOFError) as error:
        raise UserError(
            f"The weights of {body} cannot be had ({error}). Put {url} to {path}, "
            "or take --body characters, whose weights you can train yourself."
        ) from error


def _load(network: nn.Module, weights: dict[str, Tensor], first: str, path: Path, flags: str) -> None:
    """Put all weights but the last layer's into a network, the first layer's for its number of channels."""
    ours = network.state_dict()
    body = {name: value for name, value in weights.items() if not name.startswith("fc.") and name in ours}
    wanted = {name for name in ours if not name.startswith("fc.")}
    if first in body:
        body[first] = for_channels(body[first], ours[first].shape[1])
    if wrong := [name for name in sorted(wanted) if name not in body or body[name].shape != ours[name].shape]:
        there = tuple(body[wrong[0]].shape) if wrong[0] in body else "missing"
        raise UserError(
            f"{path} does not fit this body: {wrong[0]} is {there} there and {tuple(ours[wrong[0]].shape)} here. "
            f"Give {flags}."
        )
    network.load_state_dict(body, strict=False)


def for_channels(weight: Tensor, channels: int) -> Tensor:
    """Return a first convolution's weights (out, in, h, w) for pictures with another number of channels.

    Each new channel gets the mean of the old ones, scaled so that the sum over all channels stays: the layer gives a
    grey picture the same result with one channel as with three equal ones.
    """
    if weight.shape[1] == channels:
        return weight
    return weight.mean(dim=1, keepdim=True).repeat(1, channels, 1, 1) * (weight.shape[1] / channels)
