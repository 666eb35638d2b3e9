"""Exercise 2: a training step by hand, equal to Lightning's (checks that were not handed out)."""

import copy
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from training_step import train

Loss = Callable[[Tensor, Tensor], Tensor]
Batch = tuple[Tensor, Tensor]
CLASSES = 5
CLOSE = 1e-6
LR = 0.5  # where the check is about something else


def make_batches(*sizes: int) -> list[Batch]:
    """Return batches of so many pictures each, of three channels, 5 pixels high and 7 wide."""
    return [(torch.rand(size, 3, 5, 7), torch.randint(CLASSES, (size,))) for size in sizes]


def make_network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(60, CLASSES))


def by_optimizer(network: nn.Module, loss_function: Loss, batches: Iterable[Batch], lr: float) -> list[float]:
    """Train as PyTorch's own optimizer does; returns the loss of each batch before its step."""
    optimizer, losses = torch.optim.SGD(network.train().parameters(), lr), []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = loss_function(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def difference(one: nn.Module, other: nn.Module) -> float:
    """Return the largest difference between the numbers of two networks: weights, and what batch norm remembers."""
    other_state = other.state_dict()
    return max((value - other_state[name]).abs().max().item() for name, value in one.state_dict().items())


def squares(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits - functional.one_hot(labels, CLASSES)).square().mean()


def smoothed(logits: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(logits, labels, label_smoothing=0.3)


def test_training_follows_the_loss_function_and_the_lr_that_it_is_given() -> None:
    """It uses the loss function and the learning rate that it is given, whatever they are."""
    for loss_function, lr in ((squares, 0.9), (functional.multi_margin_loss, 0.125), (smoothed, 0.01)):
        network, batches = make_network(), make_batches(16, 5, 1, 9)
        expected = copy.deepcopy(network)
        losses = by_optimizer(expected, loss_function, batches, lr)
        found = train(network, loss_function, batches, lr)
        furthest = difference(network, expected)
        case = f"Four batches, with the loss function {loss_function.__name__} and lr={lr}"
        assert furthest < CLOSE, (
            f"{case}: a weight differs by {furthest:.2g} from what torch.optim.SGD makes of it. Each weight goes lr "
            "times its gradient down: that of the loss function in the arguments, and with the lr in the arguments."
        )
        assert len(found) == 4, f"{case}: expected four losses, found {len(found)}."
        away = max(abs(one - other) for one, other in zip(found, losses, strict=True))
        assert away < 1e-5, f"{case}: the losses before each step are {losses}, and {found} was returned: return those."


def test_training_mode_holds_for_batch_norm() -> None:
    """Batch norm learns, too: the network is in training mode, also if it came in evaluation mode."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(60, CLASSES)
    ).eval()
    batches, expected = make_batches(8, 8, 8), copy.deepcopy(network)
    by_optimizer(expected, functional.cross_entropy, batches, LR)
    train(network, functional.cross_entropy, batches, LR)
    furthest = difference(network, expected)
    assert furthest < CLOSE, (
        "A network with batch norm came in evaluation mode. After three steps, a weight or a mean that batch norm "
        f"remembers differs by {furthest:.2g} from what training with torch.optim.SGD gives. Tell the network, all of "
        "it, that it is trained: network.train()."
    )


def test_training_goes_through_the_batches_once() -> None:
    """Batches may come one at a time, from a generator, as many as there are: eleven, one, or none."""
    for count in (11, 1, 0):
        batches, network = make_batches(*[4] * count), make_network()
        expected = copy.deepcopy(network)
        by_optimizer(expected, functional.cross_entropy, batches, LR)

        def one_at_a_time(batches: list[Batch] = batches) -> Iterator[Batch]:
            yield from batches

        losses = train(network, functional.cross_entropy, one_at_a_time(), LR)
        assert isinstance(losses, list), f"Expected a list of losses, found {losses!r}."
        assert len(losses) == count, (
            f"A generator gave {count} batches. Expected {count} losses, one for each, and found {len(losses)}. "
            "`batches` is an Iterable: go through it once, with `for`."
        )
        assert difference(network, expected) < CLOSE, (
            f"A generator gave {count} batches, and the weights are others than after {count} steps of torch.optim.SGD."
        )


class Scaled(nn.Module):
    """Multiply by one number, which is learned."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x


def test_training_moves_each_weight_once() -> None:
    """Each weight makes one step for each batch: a single number, and one that two layers share, too."""
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(105, 6), nn.Linear(6, 6), Scaled(), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, CLASSES)
    )
    network[5].weight = network[2].weight
    batches, expected = make_batches(7, 7, 7), copy.deepcopy(network)
    by_optimizer(expected, functional.cross_entropy, batches, LR)
    train(network, functional.cross_entropy, batches, LR)
    furthest = difference(network, expected)
    assert furthest < CLOSE, (
        "Two layers of this network share a weight, and one learns a single number. After three steps a weight differs "
        f"by {furthest:.2g} from what torch.optim.SGD makes of it. network.parameters() gives each weight once."
    )
