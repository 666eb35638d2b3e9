# %% [markdown]
# # Attention from scratch
#
# Attention is a way to look something up. A place asks a question, all places offer an answer, and it takes most from
# those whose offer fits its question. Here you build it with a few lines of PyTorch, and let it read a word, without
# any training.
#
# At the end you will be able to
# - say what queries, keys and values are, and calculate attention by hand;
# - say why the products are divided by the square root of their number;
# - say what a mask is for, and see what a network does that has none;
# - say what several heads are good for, and why attention needs positions.

# %%
import math
import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from lab_kit.handwriting.pen_lines import write_lines
from lab_kit.notebooks import notebook
from lab_kit.notebooks.notebook import BLUE, GRAY, ORANGE, RED
from text_recognizer.data import EMNISTLines
from text_recognizer.data.character_mapping import MAPPING
from text_recognizer.lit_models.line import to_texts
from text_recognizer.models.attention import MultiHeadAttention, attention, causal_mask
from text_recognizer.models.positions import positions_1d

FAST = "COURSE_FAST" in os.environ  # set: little work, only to see that every cell runs
torch.manual_seed(42)
notebook.set_up()

# %% [markdown]
# ## Look something up, softly
#
# Four places offer something. What a place offers is its **key**, a list of numbers; what one gets there is its
# **value**. Somebody asks with a **query**, a list as long as a key. Multiply the query by each key: the product is
# large where they fit. Softmax makes shares of the products, and the answer is the mean of the values, by these shares.

# %%
keys = torch.tensor([[4.0, 0.0], [0.0, 4.0], [-4.0, 0.0], [3.0, 3.0]])
values = torch.tensor([10.0, 20.0, 30.0, 40.0])
query = torch.tensor([1.0, 0.2])

scores = keys @ query / math.sqrt(2)
weights = scores.softmax(dim=0)
for key, value, weight in zip(keys.tolist(), values.tolist(), weights.tolist(), strict=True):
    print(f"key {key!s:12}  value {value:.0f}   share {weight:.2f}")
print(f"answer {weights @ values:.1f}")

# %% [markdown]
# **Calculate first:** which query gets almost only the value 30? And one that gets the mean of all values, 25?
#
# For many queries at once it is a product of matrices. All of attention is three lines:


# %%
def by_hand(queries, keys, values):
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])  # (..., T, S): how well each key fits
    weights = scores.softmax(dim=-1)  # (..., T, S): shares, which add up to 1 over S
    return weights @ values  # (..., T, v)


queries, keys, values = torch.randn(2, 5, 8), torch.randn(2, 7, 8), torch.randn(2, 7, 3)
found = by_hand(queries, keys, values)
print("the same as the lab's:    ", torch.allclose(found, attention(queries, keys, values)[0], atol=1e-6))
theirs = functional.scaled_dot_product_attention(queries, keys, values)
print("the same as PyTorch's own:", torch.allclose(found, theirs, atol=1e-6))

# %% [markdown]
# ## Why divide by a square root?
#
# A product of two lists of d random numbers is a sum of d terms. Its spread is the square root of d: the more features,
# the larger the products. And softmax of large numbers takes one place alone. **Predict:** with 512 features and no
# division, how large is the largest of 20 shares?

# %%
sizes = [2, 8, 32, 128, 512]
largest = {"divided by the root": [], "not divided": []}
for size in sizes:
    products = torch.randn(1000, 1, size) @ torch.randn(1000, size, 20)  # (1000, 1, 20)
    largest["divided by the root"].append((products / math.sqrt(size)).softmax(dim=2).amax(dim=2).mean())
    largest["not divided"].append(products.softmax(dim=2).amax(dim=2).mean())

_, axes = plt.subplots(figsize=(7, 3.6))
for (name, shares), colour in zip(largest.items(), (BLUE, RED), strict=True):
    axes.plot(sizes, shares, "o-", color=colour, label=name)
axes.set(xscale="log", ylim=(0, 1), xlabel="features", ylabel="largest of 20 shares", title="Undivided, one place wins")
axes.set_xticks(sizes, sizes)
axes.legend()
plt.show()

# %% [markdown]
# A share of 1 cannot change any more: its gradient is zero, and nothing is learned. At the start of training the shares
# should be even.
#
# ## Where is a place? Positions
#
# Attention does not know the order of places. If we shuffle keys and values in the same way, the answer is the same:

# %%
shuffled = torch.randperm(7)
again = by_hand(queries, keys[:, shuffled], values[:, shuffled])
print("shuffled, and still the same:", torch.allclose(found, again, atol=1e-6))

# %% [markdown]
# So each place gets numbers that say where it is: sines and cosines of waves of many lengths. The left picture shows
# them. The right one shows the product of the numbers of two places: it is largest where both are the same place, and
# it depends on the distance alone.

# %%
DIM = 64
positions = positions_1d(60, DIM)  # (places, features)
_, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
left.imshow(positions.T, cmap="RdBu", aspect="auto")
left.set(xlabel="place", ylabel="feature", title="What is added to the features of each place")
for place, colour in ((10, BLUE), (30, ORANGE), (45, RED)):
    right.plot(positions @ positions[place], color=colour, label=f"with place {place}")
right.set(xlabel="place", ylabel="product", title="The product is largest at the same place", ylim=(12, 40))
right.legend(ncols=3, fontsize=10, loc="upper center")
left.grid(False)
plt.show()

# %% [markdown]
# ## A head that looks at the right letter
#
# This is enough to read a word. Here is a line of characters in boxes, 28 pixels wide. Cut it into columns of 4 pixels.
# The key of a column is its position. Its value says which character is there (a network would have to find this out
# from the pixels; here we know it). For the third character we ask with the position of the middle of the third box.

# %%
data = EMNISTLines(max_length=12, max_overlap=0.0, source="pen", num_train=1, num_val=1, num_test=32 if FAST else 200)
data.prepare_data()
data.setup()
images, labels = data.splits["test"].__getitems__(range(len(data.splits["test"])))
texts = to_texts(labels)
chosen = min(range(len(texts)), key=lambda i: (abs(len(texts[i]) - 9), -len(set(texts[i]))))
image, text = images[chosen, 0], texts[chosen]

BOX, STEP = 28, 4  # pixels
columns = len(text) * BOX // STEP
shows = torch.arange(columns) * STEP // BOX  # which character each column shows
column_values = functional.one_hot(labels[chosen][: len(text)], len(MAPPING)).float()[shows]  # (columns, classes)
column_keys = positions_1d(columns, DIM)
middles = torch.arange(len(text)) * (BOX // STEP) + BOX // STEP // 2  # the column in the middle of each box
questions = 4 * positions_1d(columns, DIM)[middles]  # times 4: a surer question

answers, looked = attention(questions, column_keys, column_values)
print("true:", text)
print("read:", "".join(MAPPING[k] for k in answers.argmax(dim=1)))


# %%
def show_map(picture, weights, names, title, ylabel="asked for"):
    """Show a line, and below it a row for each character: where it looked. weights: (characters, columns)."""
    width = picture.shape[1]
    _, (above, below) = plt.subplots(2, 1, figsize=(10, 4.6), height_ratios=[1, 3], sharex=True)
    above.imshow(picture, aspect="auto", extent=(0, width, 1, 0))
    above.set_axis_off()
    above.set_title(title)
    below.imshow(weights, cmap="Blues", aspect="auto", extent=(0, width, len(weights), 0), vmin=0)
    below.set_yticks([row + 0.5 for row in range(len(weights))], names, parse_math=False)
    below.set(xlabel="pixels from the left", ylabel=ylabel)
    below.grid(False)
    plt.show()


names = [character.replace(" ", "␣") for character in text]
show_map(image[:, : len(text) * BOX], looked, names, "The head walks along the line, box after box")

# %% [markdown]
# Such a picture is called an attention map. You will see many of them in the next notebook, and there the network has
# learned by itself where to look.
#
# Now the same questions for a line as people write it. **Predict:** where will this head look?

# %%
written = write_lines(["illumination"], torch.tensor([7]), torch.Generator().manual_seed(1), 28)[0]  # (28, width) uint8
ink = written.max(axis=0) > 60
width = int(np.flatnonzero(ink)[-1]) + 4
columns = width // STEP
word = "illumination"
middles = torch.arange(len(word)) * (BOX // STEP) + BOX // STEP // 2
asked = 4 * positions_1d(max(columns, int(middles[-1]) + 1), DIM)[middles]
looked = attention(asked, positions_1d(columns, DIM), torch.zeros(columns, 1))[1]
show_map(written[:, :width], looked, list(word), "A head for boxes is lost on natural writing")

# %% [markdown]
# Letters have different widths. For the `u`, the fourth letter, the head looks at an `a`. From the seventh letter on it
# looks for places behind the end of the word, where nothing is. No fixed question is right. The question must come
# from what has been read so far, and the keys from what the columns show: "the next letter behind the one that I have
# just read". That is what networks learn: linear layers make queries, keys and values from features.
#
# ## Several heads
#
# One head gives one mean. But a place may need two things: the letter before it, and other letters like itself. So the
# features are cut into parts, and each part has an attention of its own, a **head**. Here are two heads by hand. Half
# of the features say where a letter is, the other half which letter it is.

# %%
word = "attention"
letters = torch.tensor([MAPPING.index(character) for character in word])
where = positions_1d(len(word), DIM)
what = functional.one_hot(letters, len(MAPPING)).float()

before = torch.cat([where[:1], where[:-1]])  # the question of the first head: where is the place before mine?
heads = {
    "head 1: the letter before": attention(8 * before, where, what)[1],
    "head 2: the same letter": attention(60 * what, what, what)[1],
}
_, both = plt.subplots(1, 2, figsize=(10, 4.6))
for axes, (name, shares) in zip(both, heads.items(), strict=True):
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(word)), word)
    axes.set_yticks(range(len(word)), word)
    axes.set(xlabel="looked at", ylabel="letter that looks", title=name)
    axes.grid(False)
plt.show()
# alt: Two maps of who looks at whom in the word attention: head 1 looks at the letter before, head 2 at all letters
#      that are the same

# %% [markdown]
# `MultiHeadAttention` makes queries, keys and values by linear layers, splits them into heads, and puts the answers
# side by side. With the same weights, it does what PyTorch's own layer does:

# %%
ours, theirs = MultiHeadAttention(16, heads=4), nn.MultiheadAttention(16, 4, batch_first=True)
parts = (ours.query, ours.key, ours.value)
theirs.in_proj_weight.data = torch.cat([part.weight.data for part in parts])
theirs.in_proj_bias.data = torch.cat([part.bias.data for part in parts])
theirs.out_proj.load_state_dict(ours.out.state_dict())
x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
with torch.no_grad():
    found, looked = ours(x, ours.keys_and_values(memory), need_weights=True)
    print("the same:", torch.allclose(found, theirs(x, memory, memory)[0], atol=1e-6), tuple(looked.shape))

# %% [markdown]
# ## What a mask is for
#
# A network that writes learns to guess the next character at all places at once. But attention sees all places, and the
# next character is one of them. A **causal mask** lets each place see itself and what is before it:

# %%
print(causal_mask(5).int())

# %% [markdown]
# Does it matter? Here is a network with one layer of attention. It gets random digits, and has to say at each place
# which digit comes next. Nobody can guess a random digit, so the best possible loss is −log(1/10) = 2.30. **Predict:**
# which loss does it reach without a mask?


# %%
class Guesser(nn.Module):
    """Say which digit comes next, (B, T) -> (B, 10, T)."""

    def __init__(self, dim=32):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(10, dim), positions_1d(16, dim)
        self.attention, self.fc = MultiHeadAttention(dim, 2), nn.Linear(dim, 10)

    def forward(self, digits, mask):
        x = self.embedding(digits) + self.positions[: digits.shape[1]]
        x = x + self.attention(x, self.attention.keys_and_values(x), mask)[0]
        return self.fc(x).transpose(1, 2)


def train(mask):
    torch.manual_seed(0)
    guesser, losses = Guesser(), []
    optimizer = torch.optim.Adam(guesser.parameters(), lr=1e-2)
    for _ in range(20 if FAST else 500):
        digits = torch.randint(10, (64, 13))  # new ones each time: there is nothing to learn by heart
        loss = functional.cross_entropy(guesser(digits[:, :-1], mask), digits[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return guesser, losses


nobody = torch.ones(12, 12, dtype=torch.bool)  # forbids nothing
curves = {"with a causal mask": train(causal_mask(12)), "without": train(nobody)}
_, axes = plt.subplots(figsize=(7, 3.6))
for (name, (_, losses)), colour in zip(curves.items(), (BLUE, RED), strict=True):
    axes.plot(losses, color=colour, label=name)
axes.axhline(math.log(10), color=GRAY, linestyle=":", label="the best that an honest guess can do")
axes.set(xlabel="step", ylabel="loss", title="Without a mask, the network copies what it has to guess", ylim=(0, 3))
axes.legend()
plt.show()

# %% [markdown]
# Without the mask the loss falls far below what is possible. The network looks one place ahead, and copies:

# %%
digits = torch.randint(10, (1, 13))
_, both = plt.subplots(1, 2, figsize=(10, 4.2))
for axes, (name, (guesser, _)), mask in zip(both, curves.items(), (causal_mask(12), nobody), strict=True):
    with torch.no_grad():
        x = guesser.embedding(digits[:, :-1]) + guesser.positions[:12]
        shares = guesser.attention(x, guesser.attention.keys_and_values(x), mask, need_weights=True)[1][0].mean(dim=0)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="place looked at", ylabel="place that looks", title=name)
    axes.grid(False)
plt.show()
# alt: Two maps of attention: with a causal mask each place looks at itself and at places before it, without a mask
#      at the place after it

# %% [markdown]
# When it has to write by itself, there is nothing behind its last place to copy, and it has learned nothing else.
#
# The mask is the reason, too, why a text can be written step by step. What a place has calculated does not change when
# more is written behind it. So its key and value can be kept: a **key-value cache**.

# %%
guesser = curves["with a causal mask"][0]
with torch.no_grad():
    short, long = guesser(digits[:, :6], causal_mask(6)), guesser(digits[:, :12], causal_mask(12))
    print("first 6 of 12 places, and 6 places alone: the same?", torch.allclose(long[..., :6], short, atol=1e-5))

# %% [markdown]
# ## Try it
#
# 1. In "Look something up", write a query that gets 35: the mean of 30 and 40. Is there one?
# 2. Ask for the boxes with `0.5 *` in place of `4 *`. What happens to the map, and what is read?
# 3. A third head by hand: each letter looks at the *next* one that is the same as itself. Is that possible with one
#    layer?
# 4. Give `Guesser` digits that can be guessed: each is the one before it, plus 3. Which loss does it reach with a mask?
# 5. Leave out the positions in `Guesser`. What does the network without a mask learn now, and why?
