"""Every picture in a notebook says in words what is to be seen."""

import nbformat
import pytest

from curriculum import alternative_texts, manifest, notebooks
from lab_kit.paths import project_root

COURSE = manifest.load(project_root())
SOURCES = notebooks.sources(COURSE)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ('axes.set(title="It falls", xlabel="step", ylabel="loss")', "It falls (x axis: step, y axis: loss)"),
        ('axes.set_title("left")\nplt.suptitle("both")', "left; both"),
        ('axes.set(title=f"lr = {lr:.2f}, after {n} steps")', "lr = …, after … steps"),
        (
            'axes.set(title="A title")\n# alt: a curve that falls,\n#      and rises again\n',
            "a curve that falls, and rises again",
        ),
        ('show_lines(apart, title="Apart")', "Apart"),
        ('notebook.plot_losses(axes, run, "Too high: it stays up")', "Too high: it stays up"),
        ('axes.set(title=f"{name}")', ""),  # nothing but a number or a name that nobody knows
        ("axes.plot(x)", ""),
        ("%matplotlib inline", ""),
    ],
)
def test_the_text_is_what_the_author_wrote_or_what_the_plot_is_called(code, text):
    assert alternative_texts.text_of(code) == text


def test_the_texts_are_written_where_converters_look_for_them():
    picture = nbformat.v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    cell = nbformat.v4.new_code_cell('plt.title("A curve")', outputs=[picture])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    alternative_texts.write_into(notebook)
    assert notebook.cells[0].outputs[0].metadata["image/png"]["alt"] == "A curve"
    nbformat.validate(notebook)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.built)
def test_every_picture_of_the_course_has_one(source):
    pictures = list(alternative_texts.described(notebooks.read(COURSE.root / source.built)))
    assert [number for number, _, text in pictures if not text] == []
    written = [
        output.metadata.get("image/png", {}).get("alt") == text
        for _, output, text in pictures
        if "image/png" in output.data
    ]
    assert all(written)
