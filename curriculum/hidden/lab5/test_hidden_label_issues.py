"""Exercise 1: wrong labels, by confident learning (checks that were not handed out)."""

import math
from statistics import fmean

import torch
from label_issues import confident_joint, label_issues, out_of_fold, thresholds
from torch import Tensor

USED = (0, 2, 3, 7, 10)  # of twelve classes: the others have no pictures
EARLIER = "See first whether your own checks are all met."


def random_answers(pictures: int) -> tuple[Tensor, Tensor]:
    """Return labels and probabilities of twelve classes, seven of which have no pictures."""
    labels = torch.tensor(USED)[torch.randint(len(USED), (pictures,))]
    logits = torch.randn(pictures, 12, dtype=torch.float64)
    logits[range(pictures), labels] += 1.5
    return labels, logits.softmax(dim=1)


def in_sixteenths(pictures: int, classes: int) -> tuple[Tensor, Tensor]:
    """Return labels and probabilities that are whole sixteenths, so that many margins are equal."""
    draws = torch.randint(classes, (pictures, 16))
    counts = torch.nn.functional.one_hot(draws, classes).sum(dim=1)
    return torch.randint(classes, (pictures,)), counts / 16


def limits(labels: Tensor, probabilities: Tensor) -> list[float]:
    """Return the thresholds, picture by picture."""
    rows = list(zip(labels.tolist(), probabilities.tolist(), strict=True))
    own = [[row[k] for label, row in rows if label == k] for k in range(probabilities.shape[1])]
    return [fmean(values) if values else math.inf for values in own]


def counted_for(labels: Tensor, probabilities: Tensor) -> list[int | None]:
    """Return the class that each picture counts for, if any, picture by picture."""
    known, found = limits(labels, probabilities), []
    for row in probabilities.tolist():
        reached = [k for k, limit in enumerate(known) if row[k] >= limit]
        found.append(max(reached, key=row.__getitem__, default=None))
    return found


def test_issues_of_many_classes_with_gaps() -> None:
    """Thresholds and counts are right with many classes, of which some in between have no pictures."""
    for pictures in (600, 60, 7):
        labels, probabilities = random_answers(pictures)
        found, expected = thresholds(labels, probabilities).tolist(), limits(labels, probabilities)
        wrong = [k for k in range(12) if not math.isclose(found[k], expected[k], rel_tol=1e-6)]
        assert not wrong, (
            f"{pictures} pictures of twelve classes: the threshold of class {wrong[0]} is {expected[wrong[0]]:.4f}, "
            f"and {found[wrong[0]]:.4f} was found. A class without pictures has an infinite one."
        )
        counts = [[0] * 12 for _ in range(12)]
        for given, counted in zip(labels.tolist(), counted_for(labels, probabilities), strict=True):
            if counted is not None:
                counts[given][counted] += 1
        joint = confident_joint(labels, probabilities).tolist()
        assert joint == counts, (
            f"{pictures} pictures of twelve classes, of which only {USED} have any: expected the counts {counts}, "
            f"found {joint}. {EARLIER}"
        )


def test_issues_come_by_margin_and_then_by_index() -> None:
    """Among hundreds of issues with many equal margins, the lowest come first, and of equal ones the lower index."""
    for pictures, classes in ((300, 3), (250, 5), (40, 2)):
        labels, probabilities = in_sixteenths(pictures, classes)
        margins = {
            index: probabilities[index, given].item() - probabilities[index, counted].item()
            for index, (given, counted) in enumerate(
                zip(labels.tolist(), counted_for(labels, probabilities), strict=True)
            )
            if counted not in (None, given)
        }
        found, expected = label_issues(labels, probabilities).tolist(), sorted(margins, key=lambda k: (margins[k], k))
        assert sorted(found) == sorted(expected), (
            f"{pictures} pictures of {classes} classes have {len(expected)} issues, and {len(found)} were found, or "
            f"others. {EARLIER}"
        )
        place = next((place for place in range(len(found)) if found[place] != expected[place]), 0)
        assert found == expected, (
            f"Of {len(expected)} issues, number {place} in your list is picture {found[place]}, with the margin "
            f"{margins[found[place]]}; expected is picture {expected[place]}, with {margins[expected[place]]}. Sort by "
            "the margin, and leave equal ones in their order."
        )


def test_issues_judged_out_of_fold_in_any_number_of_folds() -> None:
    """Each picture is judged once, by a model that has seen the others, with other folds, features and classes."""
    counts = {1: 1, 4: 8, 5: 23}  # pictures of each label: one has a single picture
    labels = torch.cat([torch.full((count,), label) for label, count in counts.items()])
    labels = labels[torch.randperm(len(labels))]
    features = torch.stack([torch.arange(32.0), torch.rand(32), torch.rand(32)], dim=1)
    for folds in (2, 3, 7):
        calls: list[tuple[list[int], list[int], Tensor]] = []

        def fit_predict(seen: Tensor, given: Tensor, to_judge: Tensor, calls: list = calls) -> Tensor:
            calls.append((seen[:, 0].long().tolist(), given.tolist(), to_judge[:, 0].long()))
            return to_judge[:, :1] + torch.arange(6.0) / 10

        answers = out_of_fold(features, labels, fit_predict, folds=folds, seed=4)
        assert len(calls) == folds, f"With folds={folds}, {folds} models should be trained, and {len(calls)} were."
        for seen, given, judged in calls:
            together = sorted([*seen, *judged.tolist()])
            assert together == list(range(32)), (
                f"folds={folds}: a model learned from {len(seen)} pictures and judged {len(judged)}. Together these "
                "should be all 32 pictures, each once."
            )
            assert given == labels[seen].tolist(), "Pictures came to fit_predict with labels that are not theirs."
        expected = features[:, :1] + torch.arange(6.0) / 10
        assert answers.shape == expected.shape, f"Expected answers {(32, 6)}, found {tuple(answers.shape)}."
        assert torch.allclose(answers, expected), "Row i of what is returned should be what was said of picture i."
        for label, count in counts.items():
            spread = [int((labels[judged] == label).sum()) for _, _, judged in calls]
            assert max(spread) - min(spread) <= 1, (
                f"{count} pictures of a class went to {folds} folds as {spread}: no fold should have over one more "
                "than another."
            )
