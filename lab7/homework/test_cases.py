"""Exercise 1: twelve programs that do not learn, or not what they should."""

import torch
from torch import nn
from torch.nn import functional


def test_case_01_pairs() -> None:
    """Case 1: a picture keeps its label, whatever the order."""
    import case_01_pairs  # here, so that a mistake in it leaves the other cases alone

    labels = torch.arange(50)
    images = labels[:, None, None].expand(-1, 4, 4).float()  # each picture is full of its own label
    found = list(case_01_pairs.batches(images, labels, 8, seed=3))
    for pictures, classes in found:
        wrong = int((pictures[:, 0, 0] != classes).sum())
        assert wrong == 0, (
            f"Of a batch of {len(classes)} pictures, {wrong} have the label of another one. Print a batch with its "
            "labels, or draw it: a look at what the network is given finds this fault in a minute. How often is "
            "chance asked for an order?"
        )
    order = torch.cat([classes for _, classes in found])
    assert sorted(order.tolist()) == labels.tolist(), (
        "In one epoch each picture should come once, and here some are missing or come twice. Mend the pairs, and "
        "leave the rest as it is."
    )
    assert order.tolist() != labels.tolist(), (
        "The pictures come in the order in which they are stored. They were shuffled before: leave it so, and shuffle "
        "pictures and labels in the same way."
    )
    assert [len(classes) for _, classes in found] == [8, 8, 8, 8, 8, 8, 2], (
        "Expected batches of 8 pictures, and 2 in the last one, as before the mend. Leave `split` as it is."
    )


def test_case_02_network() -> None:
    """Case 2: a network that is sure, and right, has nearly no loss."""
    import case_02_network

    network = case_02_network.Network(3, 4, 10)
    with torch.no_grad():
        for parameter in (network.fc1.weight, network.fc1.bias, network.fc2.weight):
            parameter.zero_()
        network.fc2.bias.copy_(torch.tensor([30.0] + 9 * [0.0]))  # class 0, without any doubt
    images, labels = torch.rand(6, 3), torch.zeros(6, dtype=torch.long)
    loss = float(case_02_network.training_loss(network, images, labels))
    assert loss < 1e-3, (
        f"A network that gives the right class nearly all of the probability has a loss of {loss:.3f}; expected is "
        "nearly 0. Read in PyTorch's documentation what `cross_entropy` wants: probabilities, or numbers of any size? "
        "What does softmax make of numbers from 0 to 1?"
    )
    wrong = float(case_02_network.training_loss(network, images, labels + 1))
    assert abs(wrong - 30) < 0.1, f"If it is sure and wrong, its loss should be about 30, and is {wrong:.2f}."
    shares = case_02_network.probabilities(case_02_network.Network(3, 4, 10), images)
    assert torch.allclose(shares.sum(dim=1), torch.ones(6), atol=1e-5), (
        f"`probabilities` should still return rows that add up to 1, and the first adds up to {shares[0].sum():.3f}. "
        "What the network no longer does, this function has to do."
    )


def test_case_03_steps() -> None:
    """Case 3: each step goes down the gradient of its own batch."""
    import case_03_steps

    torch.manual_seed(0)
    batches = [(torch.randn(8, 5), torch.randint(0, 3, (8,))) for _ in range(4)]
    network, twin = nn.Linear(5, 3), nn.Linear(5, 3)
    twin.load_state_dict(network.state_dict())
    losses = case_03_steps.train(network, batches, lr=0.5)
    for step, (images, labels) in enumerate(batches):
        loss = functional.cross_entropy(twin(images), labels)
        assert abs(losses[step] - float(loss)) < 1e-4, (
            f"Step {step + 1} is the first with a wrong loss: it should be {float(loss):.4f}, and is "
            f"{losses[step]:.4f}. So the weights were wrong after the step before. Print `network.weight.grad` just "
            "before `optimizer.step()`: is it the gradient of this batch, of more, or nothing at all?"
        )
        gradients = torch.autograd.grad(loss, list(twin.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(twin.parameters(), gradients, strict=True):
                parameter -= 0.5 * gradient
    assert torch.allclose(network.weight, twin.weight, atol=1e-5), "After the last step, the weights are wrong."


def test_case_04_head() -> None:
    """Case 4: the new layer learns, and the others stay."""
    import case_04_head

    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 10))
    before = {name: value.clone() for name, value in body.state_dict().items()}
    network, optimizer = case_04_head.prepare(body, classes=3, lr=0.1)
    first = network[-1].weight.detach().clone()
    assert first.shape == (3, 5), f"The last layer should have 3 outputs and 5 inputs, and has the shape {first.shape}."
    assert network[-1].weight.requires_grad, (
        "The new layer's weights get no gradient (`requires_grad` is False). Print for each parameter its name and "
        "`requires_grad`. In which order are layers replaced and frozen?"
    )
    functional.cross_entropy(network(torch.randn(16, 6)), torch.randint(0, 3, (16,))).backward()
    optimizer.step()
    moved = float((network[-1].weight.detach() - first).abs().max())
    assert moved > 0, (
        "After a step, the new layer's weights are what they were, although they have a gradient. Does the optimizer "
        "know them? It was given its parameters at a certain moment: which layers did the network have then?"
    )
    for name in ("0.weight", "0.bias"):
        same = torch.equal(network.state_dict()[name], before[name])
        assert same, f"{name} has changed, and should stay: only the last layer is trained."


def test_case_05_augment() -> None:
    """Case 5: a six stays a six, and no two pictures are turned alike."""
    import case_05_augment

    images = torch.zeros(200, 1, 28, 28)
    images[:, :, 4:8, 13:15] = 1.0  # a stroke at the top, in the middle
    turned = case_05_augment.augment(images, torch.Generator().manual_seed(0))
    rows = torch.arange(28.0)[:, None].expand(28, 28)
    height = (turned[:, 0] * rows).sum(dim=(1, 2)) / turned[:, 0].sum(dim=(1, 2)).clamp(min=1e-6)
    low = int((height > 14).sum())
    assert low == 0, (
        f"Of 200 pictures with a stroke at the top, {low} have it at the bottom afterwards: a 6 becomes a 9. Draw "
        "twenty augmented pictures. How far are they turned? In which unit is an angle, and in which do sine and "
        "cosine want it?"
    )
    across = (turned[:, 0] * rows.T).sum(dim=(1, 2)) / turned[:, 0].sum(dim=(1, 2)).clamp(min=1e-6)
    angles = torch.rad2deg(torch.atan2(across - 13.5, 13.5 - height))
    assert 11 < float(angles.abs().max()) < 17, (
        f"The largest angle of 200 is {float(angles.abs().max()):.1f} degrees; expected is nearly 15 "
        "(LARGEST_ANGLE). Do not switch the augmentation off: mend it."
    )
    assert float(angles.std()) > 5, (
        "All pictures are turned in nearly the same way: each should get an angle of its own."
    )


def test_case_06_answers() -> None:
    """Case 6: in use, the same picture gets the same answer."""
    import case_06_answers

    torch.manual_seed(0)
    reader, images = case_06_answers.Reader(20, 50, 10, dropout=0.5), torch.rand(64, 20)
    answers = torch.stack([case_06_answers.answer(reader, images) for _ in range(5)])
    differing = int((answers != answers[0]).any(dim=0).sum())
    assert differing == 0, (
        f"Of 64 pictures, {differing} got different answers in five tries. `answer` calls `reader.eval()`: which part "
        "of `forward` asks whether the network is in training? Read what `functional.dropout` does by default."
    )
    reader.train()
    assert not torch.equal(reader(images), reader(images)), (
        "In training the same pictures should go through different dropouts, and two passes are equal here. Leave the "
        "dropout in, and let it work in training alone."
    )


def test_case_07_splits() -> None:
    """Case 7: nobody who is tested on has been learned from."""
    import case_07_splits

    files = [f"person{who}_{letter}_{k:02}.png" for who in range(40) for letter in "abc" for k in range(5)]
    parts = case_07_splits.split(files, seed=1)
    people = [{file.rsplit("_", 2)[0] for file in part} for part in parts]
    common = people[0] & people[2]
    assert not common, (
        f"{len(common)} of the {len(people[2])} people in the test have written training pictures, too, such as "
        f"{min(common)}. The test then says how well known handwriting is read. What is a new visitor: a new picture, "
        "or a new person? Divide these."
    )
    for other in (people[0], people[2]):
        assert not people[1] & other, f"{min(people[1] & other)} is in the validation and elsewhere."
    assert sorted(file for part in parts for file in part) == sorted(files), "Each picture should be in one split."
    counts = [len(some) for some in people]
    assert counts == [32, 4, 4], f"Of 40 people, 32, 4 and 4 should be in the splits, and there are {counts}."
    assert case_07_splits.split(files, seed=1) == parts, "The same seed should give the same splits."
    assert case_07_splits.split(files, seed=2)[2] != parts[2], "Another seed should test on other people."


def test_case_08_blank() -> None:
    """Case 8: what a network writes without mistake has nearly no loss."""
    import case_08_blank

    texts = ["banana", "a cat", "aa"]
    windows = [["b", "a", "n", "a", "n", "a", None, None], list("a cat") + 3 * [None], ["a", None, "a"] + 5 * [None]]
    logits = torch.full((3, 8, 28), -20.0)
    for row, line in enumerate(windows):
        for place, character in enumerate(line):
            k = case_08_blank.BLANK if character is None else case_08_blank.CHARACTERS.index(character)
            logits[row, place, k] = 20.0
    assert case_08_blank.read(logits) == texts, (
        "`read` and BLANK were right: leave both as they were, and look at the loss."
    )
    loss = float(case_08_blank.line_loss(logits, texts))
    assert loss < 0.01, (
        f"These windows read {texts}, as they should, and the loss is {loss:.2f}; expected is nearly 0. So loss and "
        "reading do not mean the same by a class. Which class does `functional.ctc_loss` take for the blank, unless "
        "it is told? Which letter is never written?"
    )


def test_case_09_warmup() -> None:
    """Case 9: the learning rate is at most the optimizer's own."""
    import case_09_warmup

    for warmup, steps in ((100, 1000), (5, 20), (10, 50)):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.2)
        schedule = case_09_warmup.schedule(optimizer, warmup, steps)
        for k in range(steps):
            expected = 0.2 * ((k + 1) / warmup if k < warmup else (steps - k) / (steps - warmup))
            found = optimizer.param_groups[0]["lr"]
            assert abs(found - expected) < 1e-6, (
                f"With {warmup} steps of warm-up of {steps}, the learning rate at step {k} is {found:.4f}; expected is "
                f"{expected:.4f}. Draw the learning rate of a whole run before you blame the data: what is the "
                "largest? Which number in the program should have been a parameter?"
            )
            optimizer.step()
            schedule.step()


def test_case_10_lines() -> None:
    """Case 10: ink on ink is ink."""
    import case_10_lines

    random = torch.Generator().manual_seed(0)
    letters = torch.randint(0, 256, (6, 5, 8), generator=random, dtype=torch.uint8)
    for overlap in (0, 3):
        line = case_10_lines.write_line(letters, overlap)
        expected = torch.zeros(5, 6 * 8 - 5 * overlap)
        for place, letter in enumerate(letters):
            start = place * (8 - overlap)
            expected[:, start : start + 8] += letter.float()
        expected = expected.clamp(max=255)
        assert line.dtype == torch.uint8, f"A line should be uint8, as before, and is {line.dtype}."
        wrong = line.float() != expected
        assert not wrong.any(), (
            f"With an overlap of {overlap} columns, {int(wrong.sum())} pixels are wrong: one should be "
            f"{int(expected[wrong][0])}, and is {int(line[wrong][0])}. What is 200 + 100 as uint8? When is it too late "
            "to limit a sum?"
        )


def test_case_11_score() -> None:
    """Case 11: it does not matter how far texts are filled up."""
    import case_11_score

    torch.manual_seed(0)
    labels = torch.randint(1, 6, (4, 7))
    labels[2, 3:], labels[3, 1:] = case_11_score.PADDING, case_11_score.PADDING
    logits = torch.randn(4, 7, 6)
    more = functional.pad(labels, (0, 30), value=case_11_score.PADDING)
    sure = torch.full((4, 30, 6), -20.0)
    sure[..., case_11_score.PADDING] = 20.0  # it writes padding there without any doubt
    longer = torch.cat([logits, sure], dim=1)
    characters = labels != case_11_score.PADDING
    for name, function, expected in (
        ("loss", case_11_score.text_loss, functional.cross_entropy(logits[characters], labels[characters])),
        ("accuracy", case_11_score.accuracy, (logits.argmax(2) == labels)[characters].float().mean()),
    ):
        found, filled = float(function(logits, labels)), float(function(longer, more))
        assert abs(found - float(expected)) < 1e-4, (
            f"The {name} of {int(characters.sum())} characters is {float(expected):.4f}, and found was {found:.4f}. "
            "Padding is no character. What should the sum be divided by?"
        )
        assert abs(filled - float(expected)) < 1e-4, (
            f"The same texts, filled up with 30 more places of padding, should have the same {name}, "
            f"{float(expected):.4f}, and have {filled:.4f}."
        )


def test_case_12_validate() -> None:
    """Case 12: validation looks, and changes nothing."""
    import case_12_validate

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(10, 20), nn.BatchNorm1d(20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 3))
    images, labels = 3 * torch.randn(96, 10) + 1, torch.randint(0, 3, (96,))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shares = [
        case_12_validate.validate(network, list(zip(images.split(size), labels.split(size), strict=True)))
        for size in (96, 32, 8)
    ]
    changed = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert not changed, (
        f"After the validation, {', '.join(changed)} are others than before. A network in training mode learns from "
        "what it sees, even without an optimizer: batch norm does. Which line should stand before the loop?"
    )
    in_training = network.training
    network.eval()
    with torch.no_grad():
        expected = (network(images).argmax(dim=1) == labels).float().mean().item()
    assert all(abs(share - expected) < 1e-6 for share in shares), (
        f"In batches of 96, 32 and 8 the same pictures gave {', '.join(f'{share:.3f}' for share in shares)}; expected "
        f"is {expected:.3f} each time."
    )
    assert in_training, "The network was in training mode before, and is not any more: training would go on wrongly."
    case_12_validate.validate(network.eval(), [(images, labels)])
    assert not network.training, "A network that was in evaluation mode before should still be afterwards."
