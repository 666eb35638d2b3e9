"""Exercise 1: wrong labels, by confident learning."""

import math
from collections.abc import Callable
from statistics import fmean

import pytest
import torch
from label_issues import confident_joint, label_issues, out_of_fold, thresholds
from torch import Tensor

from lab_kit.errors import sentence

EARLIER = "Meet the requirements above first."

# Five pictures of two classes. Class 1 is the one that the model is never sure of: its threshold is low.
LABELS = torch.tensor([0, 0, 0, 1, 1])
PROBABILITIES = torch.tensor([[0.875, 0.125], [0.875, 0.125], [0.5, 0.5], [0.625, 0.375], [0.5, 0.5]])
THRESHOLDS = [0.75, 0.4375]
JOINT = [[2, 1], [0, 1]]


def random_answers(pictures: int, classes: int) -> tuple[Tensor, Tensor]:
    """Return labels and probabilities that have something to do with each other; the last class has no pictures."""
    labels = torch.randint(classes - 1, (pictures,))
    logits = torch.randn(pictures, classes, dtype=torch.float64)
    logits[range(pictures), labels] += 1
    return labels, logits.softmax(dim=1)


def limits(labels: Tensor, probabilities: Tensor) -> list[float]:
    """Return the thresholds, picture by picture."""
    rows = list(zip(labels.tolist(), probabilities.tolist(), strict=True))
    own = [[row[k] for label, row in rows if label == k] for k in range(probabilities.shape[1])]
    return [fmean(values) if values else math.inf for values in own]


def counted_for(labels: Tensor, probabilities: Tensor) -> list[int | None]:
    """Return the class that each picture counts for, if any, picture by picture."""
    found, known = [], limits(labels, probabilities)
    for row in probabilities.tolist():
        reached = [k for k, limit in enumerate(known) if row[k] >= limit]
        found.append(max(reached, key=row.__getitem__, default=None))
    return found


def joint(labels: Tensor, probabilities: Tensor) -> list[list[int]]:
    counts = [[0] * probabilities.shape[1] for _ in range(probabilities.shape[1])]
    for given, found in zip(labels.tolist(), counted_for(labels, probabilities), strict=True):
        if found is not None:
            counts[given][found] += 1
    return counts


def call(function: Callable[[Tensor, Tensor], Tensor], labels: Tensor, probabilities: Tensor) -> Tensor:
    """Call one of the three functions, and check that it gives a tensor and leaves what it was given as it was."""
    before = labels.clone(), probabilities.clone()
    found = function(labels, probabilities)
    name = function.__name__
    assert isinstance(found, Tensor), f"{name}() should return a tensor, and returned {found!r}."
    for kind, old, new in zip(("labels", "probabilities"), before, (labels, probabilities), strict=True):
        assert torch.equal(old, new), (
            f"{name}() has changed the {kind} that it was given: whoever calls it goes on with wrong numbers. Methods "
            "that end with an underscore, and assignments like x[mask] = 0, work in place: work on a copy."
        )
    return found


def thresholds_of(labels: Tensor, probabilities: Tensor) -> list[float]:
    found = call(thresholds, labels, probabilities)
    assert found.shape == probabilities.shape[1:], (
        f"thresholds() should return a number for each of {probabilities.shape[1]} classes, and returned a tensor of "
        f"shape {tuple(found.shape)}. There are as many classes as probabilities has columns, whatever the labels."
    )
    return found.tolist()


def joint_of(labels: Tensor, probabilities: Tensor) -> list[list[int]]:
    found = call(confident_joint, labels, probabilities)
    classes = probabilities.shape[1]
    assert (found.shape, found.dtype) == ((classes, classes), torch.int64), (
        f"confident_joint() should return {classes} x {classes} whole numbers (int64), for there are {classes} columns "
        f"of probabilities, and returned {tuple(found.shape)} of {found.dtype}."
    )
    return found.tolist()


def issues_of(labels: Tensor, probabilities: Tensor) -> list[int]:
    try:
        found = call(label_issues, labels, probabilities)
    except IndexError as error:
        raise AssertionError(
            f"label_issues() raises {sentence(error)} Does it happen where there is one issue, or none? squeeze() "
            "makes a single number of a list of one: flatten() leaves it a list."
        ) from error
    assert (found.ndim, found.dtype) == (1, torch.int64), (
        f"label_issues() should return a list of indices, (M,) int64, also if there is one or none. It returned "
        f"{tuple(found.shape)} of {found.dtype}."
    )
    return found.tolist()


def numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def some(indices: list[int]) -> str:
    """Name a few pictures, and say how many more there are."""
    rest = f" and {len(indices) - 5} more" if len(indices) > 5 else ""
    return (", ".join(map(str, indices[:5])) or "none") + rest


def test_a_threshold_is_the_mean_over_the_classes_own_pictures() -> None:
    """A class's threshold is the mean of its own probability, over the pictures labelled with it."""
    found = thresholds_of(LABELS, PROBABILITIES)
    winners = PROBABILITIES.argmax(dim=1)
    advice = "Of the pictures labelled k, take column k, and no other."
    if found == pytest.approx(PROBABILITIES.mean(dim=0).tolist()):
        advice = "That is the mean over all pictures. Take only those labelled with the class."
    elif found == pytest.approx(limits(winners, PROBABILITIES)):
        advice = "That is the mean over the pictures that the model takes for the class. Ask the labels, not the model."
    elif found == pytest.approx([PROBABILITIES.amax(dim=1)[LABELS.eq(k)].mean().item() for k in (0, 1)]):
        advice = "That is the mean of the highest probabilities. Take that of the label, be it the highest or not."
    assert found == pytest.approx(THRESHOLDS), (
        f"Three pictures labelled 0 have probabilities 0.875, 0.875 and 0.5 of class 0; two labelled 1 have 0.375 and "
        f"0.5 of class 1. Expected {numbers(THRESHOLDS)}; found {numbers(found)}. {advice}"
    )


def test_nothing_reaches_a_class_without_pictures() -> None:
    """A class without pictures has an infinite threshold, and no picture counts for it."""
    labels, probabilities = torch.tensor([0, 0]), torch.tensor([[0.5, 0.0, 0.5], [0.25, 0.0, 0.75]])
    found = thresholds_of(labels, probabilities)
    assert found == [0.375, math.inf, math.inf], (
        "No picture is labelled 1 or 2, so nobody knows what the model says of such pictures: their thresholds are "
        f"infinite. Expected 0.375, inf, inf; found {numbers(found)}. (The mean of nothing is nan; a threshold of 0 "
        "would be reached by every picture.)"
    )
    counts = joint_of(labels, probabilities)
    assert counts == [[1, 0, 0], [0, 0, 0], [0, 0, 0]], (
        f"Only class 0 has pictures, and one of the two reaches its threshold of 0.375. Expected one count at [0][0], "
        f"found {counts}. Do you ask thresholds() what can be reached?"
    )


def test_a_picture_counts_for_the_best_class_that_it_reaches() -> None:
    """A picture counts once: for the most probable of the classes whose threshold it reaches."""
    found = joint_of(LABELS, PROBABILITIES)
    winners = [[sum(1 for a, b in zip(LABELS, PROBABILITIES, strict=True) if (a, b.argmax()) == (i, j)) for j in (0, 1)]
               for i in (0, 1)]  # fmt: skip
    advice = "Go through the five pictures on paper: which thresholds does each reach, and which of these is best?"
    if found == winners:
        advice = (
            "You count for the most probable class of all. Picture 2 is taken for class 0 with 0.5, but that is little "
            "for class 0, and much for class 1: ask first which thresholds it reaches."
        )
    elif found == [list(column) for column in zip(*JOINT, strict=True)]:
        advice = "Rows and columns are exchanged: rows are given labels, columns are probable true ones."
    assert found == JOINT, (
        f"Of five pictures labelled 0, 0, 0, 1, 1, with thresholds {numbers(THRESHOLDS)}, the first two count for "
        f"class 0. Picture 2 and picture 4 have 0.5 of both classes: they reach only class 1. Picture 3, with 0.625 "
        f"and 0.375, reaches neither. Expected {JOINT}, found {found}. {advice}"
    )
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 2])
    probabilities = torch.tensor(
        [[0.9, 0.1, 0], [0.6, 0.1, 0.3], [0.7, 0.3, 0], [0.8, 0.1, 0.1], [0, 0.1, 0.9], [0.1, 0, 0.9], [0.7, 0, 0.3]],
    )
    probabilities[1] = torch.tensor([0, 0.25, 0.75])
    found, expected = joint_of(labels, probabilities), joint(labels, probabilities)
    advice = ""
    if sum(map(sum, found)) > len(labels):
        advice = "A picture counts once, for one class."
    elif found[0][1] == 1:
        advice = "You have counted it for class 1: the first of the two, and not the most probable."
    assert found == expected, (
        f"Of seven pictures labelled {labels.tolist()}, picture 1 has probabilities 0, 0.25 and 0.75. It reaches the "
        f"thresholds of class 1 (0.2) and of class 2 (0.7), and counts for class 2. Expected {expected}, found "
        f"{found}. {advice}"
    )


def test_a_picture_that_reaches_nothing_counts_nowhere() -> None:
    """A picture that reaches no threshold counts nowhere."""
    labels, probabilities = torch.tensor([1, 1, 0]), torch.tensor([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    found = joint_of(labels, probabilities)
    advice = EARLIER
    if found == [[1, 0], [1, 1]]:
        advice = "What is left of a row in which no class is reached? argmax of such a row is 0, and 0 is a class."
    elif found == [[1, 0], [0, 2]]:
        advice = "It was counted for its own label. It tells nothing about labels: leave it out."
    assert found == [[1, 0], [0, 1]], (
        "The thresholds of classes 0 and 1 are 1 and 0.75. Picture 1, labelled 1, has 0.5 of each: it reaches neither. "
        f"Expected [[1, 0], [0, 1]], found {found}. {advice}"
    )
    issues = issues_of(labels, probabilities)
    assert issues == [], f"Nor is such a picture an issue. Expected no issues, found {issues}. {advice}"


def test_reaching_a_threshold_exactly_is_enough() -> None:
    """To reach a threshold exactly is enough."""
    labels, probabilities = torch.tensor([0, 1, 1]), torch.tensor([[0.75, 0.25], [0.5, 0.5], [0.5, 0.5]])
    found = joint_of(labels, probabilities)
    assert found == [[1, 0], [0, 2]], (
        "Class 0 has one picture, and the mean of one number is that number. Class 1 has two that are alike. So each "
        f"of the three reaches its threshold exactly. Expected [[1, 0], [0, 2]], found {found}. "
        + ("'Reaches' is >=, not >." if found == [[0, 0], [0, 0]] else EARLIER)
    )


def test_of_equally_probable_classes_the_first_counts() -> None:
    """Where two classes that it reaches are equally probable, a picture counts for the first."""
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    probabilities = torch.tensor([[4, 2, 2], [2, 2, 4], [2, 4, 2], [2, 2, 4], [0, 0, 8], [3.5, 3.5, 1]]) / 8
    found, expected = joint_of(labels, probabilities), [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    advice = EARLIER
    if found == [[1, 0, 0], [0, 1, 0], [1, 1, 1]]:
        advice = "It counts once: a tie is no reason to count it twice."
    elif found == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]:
        advice = "Yours counts for class 1: does a comparison of yours keep the last of equal ones?"
    assert found == expected, (
        f"The last of six pictures, labelled 2, has 0.4375 of class 0 and as much of class 1, and reaches both "
        f"thresholds, which are 0.375. It counts for class 0. Expected {expected}, found {found}. {advice}"
    )


def test_it_counts_as_a_loop_over_the_pictures_does() -> None:
    """On thousands of random answers it counts as a slow loop over the pictures does."""
    for pictures, classes in ((2000, 4), (300, 7), (40, 2), (1, 3)):
        labels, probabilities = random_answers(pictures, classes)
        found, expected = joint_of(labels, probabilities), joint(labels, probabilities)
        assert found == expected, (
            f"Pictures: {pictures}; classes: {classes}, the last without pictures. Expected {expected}, which is "
            f"{sum(map(sum, expected))} together; found {found}, which is {sum(map(sum, found))}. {EARLIER} If they "
            "are met: are rows given labels? Does each picture find its own cell?"
        )


def test_issues_are_what_counts_for_another_class() -> None:
    """Issues are the pictures that count for another class than their label's: those, and no others."""
    for pictures, classes in ((5, 2), (400, 4), (400, 6)):
        labels, probabilities = (LABELS, PROBABILITIES) if pictures == 5 else random_answers(pictures, classes)
        found = issues_of(labels, probabilities)
        pairs = zip(labels.tolist(), counted_for(labels, probabilities), strict=True)
        expected = {index for index, (given, best) in enumerate(pairs) if best not in (None, given)}
        missed, wrong = sorted(expected.difference(found)), sorted(set(found) - expected)
        advice = "They are the pictures that confident_joint counts off the diagonal: do both functions ask the same?"
        if set(found) == set((probabilities.argmax(dim=1) != labels).nonzero().flatten().tolist()):
            advice = "You return all pictures that the model takes for something else, whether it is sure or not."
        elif len(set(found)) < len(found):
            advice = "Some indices are there twice."
        elif len(found) == pictures:
            advice = "You return all the pictures: sort the issues, and nothing else."
        elif found and set(found) <= {0, 1} and len(expected) > 1:
            advice = "These look like a mask. Return the indices at which it is true."
        assert sorted(found) == sorted(expected), (
            f"Issues among {pictures} pictures: {len(expected)}. Yours: {len(found)}. Missing among them: "
            f"{some(missed)}. No issues, but among them: {some(wrong)}. {advice}"
        )


def test_the_lowest_margins_come_first() -> None:
    """The lowest margins come first, and of equal ones the lower index."""
    labels = torch.tensor([0] * 4 + [1] * 6 + [2] * 6)
    probabilities = torch.zeros(16, 3)
    probabilities[range(16), labels] = 1.0
    probabilities[1] = torch.tensor([0.0, 0.125, 0.875])  # margin -0.875
    probabilities[5] = torch.tensor([0.875, 0.125, 0.0])  # -0.75
    probabilities[7] = torch.tensor([0.0, 0.0625, 0.9375])  # -0.875
    probabilities[12] = torch.tensor([0.9375, 0.03125, 0.03125])  # -0.90625
    found, expected = issues_of(labels, probabilities), [12, 1, 7, 5]
    own = probabilities[range(16), labels]
    advice = "The margin is the probability of the label, minus that of the class that the picture counts for."
    if found == expected[::-1] or found == [12, 7, 1, 5][::-1]:
        advice = "That is the wrong way round: the lowest margin is the most suspicious."
    elif found == [12, 7, 1, 5]:
        advice = "Of equal margins (pictures 1 and 7) the lower index comes first: does your sort keep their order?"
    elif found == sorted(expected):
        advice = "That is the order of the pictures. Sort them by margin."
    elif sorted(found) == list(range(len(expected))):
        advice = "These are places in the list of issues. Which pictures stand there?"
    elif found == sorted(expected, key=lambda index: own[index].item()):
        advice = "You sort by the probability of the label alone, which is to sort by loss."
    assert found == expected, (
        "Pictures 1, 5, 7 and 12 are issues, with margins -0.875, -0.75, -0.875 and -0.90625. Expected "
        f"{expected}, found {found}. {advice}"
    )


def test_a_margin_looks_at_the_class_that_it_counts_for() -> None:
    """A margin compares the label with the class that the picture counts for, be it the most probable or not."""
    labels = torch.tensor([0, 0, 0, 0, 1, 2])
    probabilities = torch.tensor([[2, 5, 9], [3, 7, 6], [16, 0, 0], [16, 0, 0], [8, 4, 4], [0, 0, 16]]) / 16
    found = issues_of(labels, probabilities)
    advice = EARLIER
    if found == [0, 1]:
        advice += (
            " If they are met: is your margin that to the most probable class of all? Picture 0 does not reach it."
        )
    assert found == [1, 0], (
        "Pictures 0 and 1 are labelled 0 and count for class 1. Picture 0 has 0.125, 0.3125 and 0.5625 of the three "
        "classes: its margin is 0.125 - 0.3125 = -0.1875, for 0.5625 is too little for class 2. Picture 1 has 0.1875, "
        f"0.4375 and 0.375: its margin is -0.25. Expected [1, 0], found {found}. {advice}"
    )


def test_it_finds_biased_noise_where_the_loss_does_not() -> None:
    """It finds a class that was mixed up with another, where the loss points at pictures that are only hard."""
    cat, lynx, hard = 0, 1, 2
    rows = [[0.96, 0.03, 0.01]] * 30  # cats
    rows += [[0.55, 0.45, 0.00]] * 10 + [[0.50, 0.45, 0.05]] * 10  # lynxes: half of them are labelled cat
    rows += [[0.35, 0.15, 0.30], [0.40, 0.10, 0.25]] * 10  # hard pictures, rightly labelled; the rest of 1 is class 3
    rows += [[0.00, 0.00, 0.40]] * 4
    labels = torch.tensor([cat] * 40 + [lynx] * 10 + [hard] * 24)
    probabilities = torch.tensor([[*row, 1 - sum(row)] for row in rows], dtype=torch.float64)
    mixed_up = list(range(30, 40))
    losses = -probabilities[range(len(labels)), labels].log()
    by_loss = losses.argsort(descending=True)[:10].tolist()
    assert not set(by_loss) & set(mixed_up), "This check is broken."
    found = issues_of(labels, probabilities)
    assert sorted(found) == mixed_up, (
        "Ten lynxes are labelled cat. The model has learned from that: it gives every lynx 0.55 or 0.5 of cat and 0.45 "
        "of lynx. The ten highest losses belong to hard pictures with right labels; not one is a lynx. But 0.45 is all "
        "that a lynx ever gets, and 0.55 is little for a cat. Expected pictures 30 to 39, found "
        f"{some(found)}. {EARLIER}"
    )


class Recorder:
    """A stand-in for training: it remembers what it was shown, and gives each picture its own number back."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[int], list[int], list[int]]] = []

    def __call__(self, features: Tensor, labels: Tensor, to_judge: Tensor) -> Tensor:
        seen, judged = features[:, 0].long().tolist(), to_judge[:, 0].long().tolist()
        self.calls.append((seen, labels.tolist(), judged))
        return torch.stack([to_judge[:, 0], -to_judge[:, 0]], dim=1)


def deal(counts: tuple[int, ...], **settings: int) -> tuple[Recorder, Tensor, Tensor]:
    """Let out_of_fold work on so many pictures of each class, in mixed order; returns also labels and answers."""
    labels = torch.cat([torch.full((count,), k) for k, count in enumerate(counts)])
    labels = labels[torch.randperm(len(labels))]
    features = torch.arange(len(labels), dtype=torch.float32)[:, None]
    recorder = Recorder()
    answers = out_of_fold(features, labels, recorder, **settings)
    assert isinstance(answers, Tensor), f"out_of_fold() should return a tensor, and returned {answers!r}."
    return recorder, labels, answers


def test_no_model_judges_what_it_has_seen() -> None:
    """No model judges a picture that it has learned from, and each learns from all the others."""
    recorder, labels, _ = deal((20, 9, 12), folds=4)
    assert len(recorder.calls) == 4, f"With folds=4, four models should be trained, and {len(recorder.calls)} were."
    for seen, given, judged in recorder.calls:
        both = set(seen) & set(judged)
        assert not both, (
            f"A model has judged {len(both)} pictures that it had learned from, such as number {min(both)}. It knows "
            "their labels by heart, the wrong ones too: give fit_predict the other folds to learn from."
        )
        assert len(seen) + len(judged) == len(labels), (
            f"There are {len(labels)} pictures. A model learned from {len(seen)} of them and judged {len(judged)}: "
            "learn from all that are not judged."
        )
        assert given == labels[seen].tolist(), (
            "Pictures came to fit_predict with labels that are not theirs: choose features and labels by the same mask "
            "or indices."
        )


def test_each_picture_gets_its_own_answer() -> None:
    """Each picture is judged once, and its probabilities stand in its own row."""
    recorder, labels, answers = deal((11, 7, 15), folds=5)
    judged = [index for call in recorder.calls for index in call[2]]
    assert sorted(judged) == list(range(len(labels))), (
        f"Each of {len(labels)} pictures should be judged once. {len(set(judged))} were judged, and "
        f"{len(judged) - len(set(judged))} more than once: each picture belongs to exactly one fold, and there are as "
        "many folds as `folds` says."
    )
    assert answers.shape == (len(labels), 2), (
        f"Of {len(labels)} pictures and 2 classes, ({len(labels)}, 2) probabilities were expected, and "
        f"{tuple(answers.shape)} came back."
    )
    found = answers[:, 0].tolist()
    assert found == list(range(len(labels))), (
        f"The stand-in for a model answers with the picture's number, so row i should hold i. The first rows hold "
        f"{[int(value) for value in found[:8]]}. "
        + ("These are in the order of the folds: " if found == judged else "")
        + "put each fold's answers where its pictures stand."
    )


def test_each_class_is_spread_over_all_folds() -> None:
    """Each class is spread over the folds as evenly as it can be."""
    for counts, folds in (((20, 9, 12), 4), ((50, 3, 10), 5)):
        recorder, labels, _ = deal(counts, folds=folds)
        for label, count in enumerate(counts):
            spread = [int((labels[call[2]] == label).sum()) for call in recorder.calls]
            assert max(spread) - min(spread) <= 1, (
                f"{count} pictures of a class went to {folds} folds as {spread}: no fold should have over one more "
                "than another. By chance alone, a small class may be missing from what a model learns from. Deal out "
                "each class by itself."
            )


def test_the_seed_deals() -> None:
    """The same seed deals in the same way, another one otherwise, and PyTorch's own random numbers stay as they are."""
    labels, features = torch.arange(60) % 3, torch.arange(60, dtype=torch.float32)[:, None]
    state = torch.get_rng_state()
    dealt = []
    for seed in (0, 0, 1):
        recorder = Recorder()
        out_of_fold(features, labels, recorder, seed=seed)
        dealt.append([sorted(call[2]) for call in recorder.calls])
    assert torch.equal(state, torch.get_rng_state()), (
        "out_of_fold() has used or set the random numbers that all of PyTorch shares (torch.manual_seed does, too). "
        "Weights and batches now depend on it. Make a torch.Generator of your own, and give it to torch.randperm."
    )
    assert dealt[0] == dealt[1], (
        "The same seed has dealt the pictures in two ways: nobody can repeat what you found. Take all random numbers "
        "from one generator with that seed."
    )
    assert dealt[0] != dealt[2], (
        "Seeds 0 and 1 deal the pictures in the same way. Pictures that lie side by side in a folder are often alike, "
        "and would always go to the same folds: shuffle each class first, by the seed."
    )


def test_models_that_know_by_heart_are_no_judges() -> None:
    """With answers out of fold it finds wrong labels that a model which has seen them calls right."""

    def neighbours(features: Tensor, labels: Tensor, to_judge: Tensor) -> Tensor:
        """Ask the pictures that were learned from, the nearest by far the loudest."""
        closeness = (-20 * torch.cdist(to_judge, features)).softmax(dim=1)
        return closeness @ torch.eye(3)[labels]

    truth = torch.arange(120) % 3
    features = 2.5 * torch.eye(3)[truth] + 0.5 * torch.randn(120, 3)
    labels = truth.clone()
    wrong = (truth == 2).nonzero().flatten()[:12]
    labels[wrong] = 0  # biased: of one class, some lie in the folder of another
    by_heart = issues_of(labels, neighbours(features, labels, features))
    found = set(issues_of(labels, out_of_fold(features, labels, neighbours)))
    hits = len(found & set(wrong.tolist()))
    assert not by_heart, (
        "Where each picture finds itself among those learned from, there are no issues, and yours found some. "
        + EARLIER
    )
    assert hits >= 5, (
        f"Of 120 pictures, 12 have wrong labels. A model that has seen them finds each picture itself, with its label, "
        f"and so no issue; out of fold, 5 or more are found, and {hits} were. {EARLIER}"
    )
