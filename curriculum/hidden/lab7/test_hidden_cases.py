"""Exercise 1: twelve programs that do not learn, or not what they should (checks that were not handed out)."""

import torch
from torch import nn
from torch.nn import functional


def test_case_01_pairs_in_batches_of_any_size() -> None:
    """Case 1, other sizes: a picture keeps its label, and the seed decides on the order."""
    import case_01_pairs  # here, so that a mistake in it leaves the other cases alone

    labels = torch.arange(37) * 3 + 1
    images = labels[:, None].double().expand(-1, 5) / 2
    orders = []
    for seed, batch_size in ((0, 10), (0, 10), (8, 10), (8, 37), (8, 1), (11, 100)):
        found = list(case_01_pairs.batches(images, labels, batch_size, seed))
        wrong = sum(int((2 * pictures[:, 0] != classes).sum()) for pictures, classes in found)
        assert wrong == 0, f"Of 37 pictures in batches of {batch_size}, {wrong} have the label of another one."
        sizes = [len(classes) for _, classes in found]
        full, rest = divmod(37, batch_size)
        expected = [batch_size] * full + [rest] * bool(rest)
        assert sizes == expected, f"Expected batches of {expected} pictures, found {sizes}."
        orders.append(torch.cat([classes for _, classes in found]).tolist())
        assert sorted(orders[-1]) == labels.tolist(), "In one epoch each picture should come once."
    assert orders[0] == orders[1], "The same seed should give the same order, and gave another one."
    assert orders[0] != orders[2], "Another seed should give another order: ask a generator with that seed."


def test_case_02_network_of_other_sizes() -> None:
    """Case 2, other sizes: the loss is the cross-entropy of the logits, and probabilities come from softmax."""
    import case_02_network

    for inputs, hidden, classes in ((7, 11, 4), (2, 3, 26)):
        network = case_02_network.Network(inputs, hidden, classes)
        images, labels = 3 * torch.randn(9, inputs), torch.randint(classes, (9,))
        with torch.no_grad():
            logits = network.fc2(network.fc1(images).relu())
            loss = case_02_network.training_loss(network, images, labels).item()
        expected = functional.cross_entropy(logits, labels).item()
        assert abs(loss - expected) < 1e-4, (
            f"{inputs} features, {hidden} neurons, {classes} classes: the loss of the last layer's numbers is "
            f"{expected:.4f}, and found was {loss:.4f}. cross_entropy makes probabilities of them by itself."
        )
        shares = case_02_network.probabilities(network, images)
        away = (shares - logits.softmax(dim=1)).abs().max().item()
        assert away < 1e-5, (
            f"`probabilities` should be the softmax of the last layer's numbers, and is {away:.2g} away."
        )


def test_case_04_head_of_a_deeper_body() -> None:
    """Case 4, a deeper body: only the new last layer learns, all of it, with the lr that is given."""
    import case_04_head

    body = nn.Sequential(
        nn.Linear(9, 8), nn.Tanh(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 4)
    )
    network, optimizer = case_04_head.prepare(body, classes=7, lr=0.25)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shape = tuple(before["6.weight"].shape)
    assert shape == (7, 6), f"The last of seven layers should have 7 outputs and 6 inputs, and has the shape {shape}."
    rates = {group["lr"] for group in optimizer.param_groups}
    assert rates == {0.25}, f"The optimizer should have the learning rate 0.25, and has {rates}."
    try:
        functional.cross_entropy(network(torch.randn(16, 9)), torch.randint(7, (16,))).backward()
    except RuntimeError as error:
        raise AssertionError("Nothing in the network gets a gradient: the new layer should be trained.") from error
    optimizer.step()
    moved = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert moved == {"6.weight", "6.bias"}, (
        f"After a step, the weights and the bias of the last layer, number 6, should be others, and all else as it "
        f"was. Changed have {', '.join(sorted(moved)) or 'none'}."
    )


def test_case_07_splits_of_other_people() -> None:
    """Case 7, other people: eight, one and one in ten of them, however many pictures each has written."""
    import case_07_splits

    for count, expected in ((30, [24, 3, 3]), (10, [8, 1, 1])):
        people = [f"{'abcdefghij'[k % 10] * (2 + k // 10)}" for k in range(count)]
        files = [f"{person}_{'xyz'[n % 3]}_{n:02}.png" for k, person in enumerate(people) for n in range(1 + 2 * k)]
        parts = case_07_splits.split(files, seed=6)
        written_by = [{file.split("_")[0] for file in part} for part in parts]
        assert sorted(file for part in parts for file in part) == sorted(files), "Each picture should be in one split."
        counts = [len(some) for some in written_by]
        assert counts == expected, (
            f"{count} people have written from 1 to {2 * count - 1} pictures each. Of the people, {expected} should "
            f"be in training, validation and test, and there are {counts}: divide people, not pictures."
        )
        assert case_07_splits.split(files, seed=6) == parts, "The same seed should give the same splits."


def test_case_09_warmup_of_any_length() -> None:
    """Case 9, other lengths: the learning rate rises to the optimizer's own, and then falls to 0."""
    import case_09_warmup

    for warmup, steps, lr in ((1, 3, 3.0), (37, 90, 0.01), (400, 1000, 1.0), (2, 2000, 0.5)):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
        schedule = case_09_warmup.schedule(optimizer, warmup, steps)
        for k in range(steps):
            expected = lr * ((k + 1) / warmup if k < warmup else (steps - k) / (steps - warmup))
            found = optimizer.param_groups[0]["lr"]
            assert abs(found - expected) < 1e-6 * lr, (
                f"lr={lr:g}, {warmup} of {steps} steps are warm-up: at step {k} the learning rate should be "
                f"{expected:.4g}, and is {found:.4g}."
            )
            optimizer.step()
            schedule.step()


def test_case_10_lines_of_other_letters() -> None:
    """Case 10, other letters: ink is added and limited, also where three letters lie on each other."""
    import case_10_lines

    generator = torch.Generator().manual_seed(3)
    for count, height, width, overlap in ((4, 7, 9, 5), (9, 3, 4, 3), (5, 6, 10, 1), (1, 2, 5, 2)):
        letters = torch.randint(60, 256, (count, height, width), generator=generator, dtype=torch.uint8)
        expected = torch.zeros(height, count * width - (count - 1) * overlap, dtype=torch.int64)
        for place in range(count):
            start = place * (width - overlap)
            expected[:, start : start + width] += letters[place].long()
        expected = expected.clamp(max=255)
        line = case_10_lines.write_line(letters, overlap)
        case = f"{count} letters {height} high and {width} wide, with an overlap of {overlap}"
        assert line.dtype == torch.uint8, f"{case}: expected uint8, found {line.dtype}."
        assert line.shape == expected.shape, f"{case}: expected {tuple(expected.shape)}, found {tuple(line.shape)}."
        wrong = line.long() != expected
        assert not wrong.any(), (
            f"{case}: {int(wrong.sum())} pixels are wrong. One should be {int(expected[wrong][0])}, and is "
            f"{int(line[wrong][0])}. Add in a type that holds the sum, then limit it, then make it uint8."
        )


def test_case_11_score_of_other_texts() -> None:
    """Case 11, other texts: loss and accuracy are those of all characters together, and padding counts nowhere."""
    import case_11_score

    labels = torch.randint(1, 9, (5, 12))
    for row, length in enumerate((12, 1, 0, 7, 3)):
        labels[row, length:] = case_11_score.PADDING
    logits = 2 * torch.randn(5, 12, 9)
    logits[3, :, case_11_score.PADDING] += 9  # writes nothing where there are characters, too
    real = labels != case_11_score.PADDING
    for name, function, expected in (
        ("loss", case_11_score.text_loss, functional.cross_entropy(logits[real], labels[real]).item()),
        ("accuracy", case_11_score.accuracy, (logits.argmax(dim=2) == labels)[real].float().mean().item()),
    ):
        found = float(function(logits, labels))
        assert abs(found - expected) < 1e-4, (
            f"Texts of 12, 1, 0, 7 and 3 characters: the {name} of these 23 characters is {expected:.4f}, and found "
            f"was {found:.4f}. Each character counts as much as each other, and padding does not count."
        )


def test_case_12_validate_in_uneven_batches() -> None:
    """Case 12, another network: in batches of any sizes, from a generator, validation changes nothing."""
    import case_12_validate

    network = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.4), nn.Flatten(), nn.Linear(72, 4)
    )
    images, labels = 2 * torch.randn(53, 2, 6, 5) - 1, torch.randint(4, (53,))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        expected = (network.eval()(images).argmax(dim=1) == labels).float().mean().item()
    for sizes in ((53,), (1, 2, 50), (20, 20, 13)):
        for mode in (True, False):
            network.train(mode)
            batches = zip(images.split(sizes), labels.split(sizes), strict=True)  # to be gone through once
            found = case_12_validate.validate(network, batches)
            assert abs(found - expected) < 1e-6, (
                f"53 pictures in batches of {sizes}: expected a share of {expected:.4f}, found {found:.4f}. In "
                "evaluation mode, a picture's answer depends on no other picture, and on no chance."
            )
            assert network.training == mode, (
                f"The network had training={mode} before, and {network.training} afterwards."
            )
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert not changed, f"After the validation, {', '.join(changed)} are others than before: it should only look."
