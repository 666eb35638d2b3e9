"""A widget to review pictures in a notebook, made of core ipywidgets, so that it works in Jupyter and in Colab.

It shows a page of pictures at a time, those with the highest loss first. Most of them are right, so the fastest way is
to mark the few that are wrong, and to keep the rest of the page with one click.
"""

import html
from collections.abc import Callable
from functools import partial

import ipywidgets as widgets

from lab_kit.curation.apply_review import apply_command, progress_text
from lab_kit.curation.review_file import GRADES, Picture
from lab_kit.curation.review_queue import ReviewQueue
from lab_kit.curation.shown_picture import encode_for_browser
from lab_kit.errors import UserError

SIDE = 160  # pixels of a picture's longer side
COLOURS = {"": "transparent", "keep": "#2e9e5b", "delete": "#d0463b", "relabel": "#2f78c4"}


def review(queue: ReviewQueue, columns: int = 4, rows: int = 2) -> "ReviewWidget":
    """Return a widget to review pictures; every proposal is written to the review's file at once.

    Args:
        queue: the review.
        columns: pictures in a row, if the page is wide enough.
        rows: rows on a page.

    Raises:
        UserError: `columns` or `rows` is less than 1.
    """
    if columns < 1 or rows < 1:
        raise UserError(f"A page of {rows} rows and {columns} columns is empty: take at least one of each.")
    return ReviewWidget(queue, columns, rows)


class ReviewWidget(widgets.VBox):
    """Pages of pictures with their proposals, and buttons; made by `review`.

    Attributes:
        cards: the pictures on this page.
        keep_rest: the button that keeps all pictures of the page that have no proposal, and shows the next such page.
        back, forward: the buttons that show the previous and the next page.
        undo: the button that undoes the last proposal.
        status: the progress, as HTML.
    """

    def __init__(self, queue: ReviewQueue, columns: int, rows: int) -> None:
        self._queue, self._size, self._start = queue, columns * rows, 0
        self.keep_rest = _button("Keep the rest, show more", self._keep_rest, "success")
        self.back, self.forward = (
            _button("← Back", partial(self._turn_page, -1)),
            _button("Forward →", partial(self._turn_page, 1)),
        )
        self.undo = _button("Undo", self._undo)
        self.status, self._trouble = widgets.HTML(), widgets.HTML()
        self.cards: list[Card] = []
        width, gap = SIDE + 18, 8
        self._page = widgets.GridBox(
            layout=widgets.Layout(
                grid_template_columns=f"repeat(auto-fill, {width}px)",  # as many as fit
                grid_gap=f"{gap}px",
                max_width=f"{columns * (width + gap)}px",
            )
        )
        buttons = widgets.HBox(
            [self.keep_rest, self.back, self.forward, self.undo], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([self.status, self._page, buttons, self._trouble])
        self._show_unseen()

    def propose(self, file: str, proposal: str, new_label: str = "", grade: int | None = None) -> None:
        """Propose something for a picture; errors are shown, not raised."""
        self._try(partial(self._queue.propose, file, proposal, new_label, grade))

    def _keep_rest(self) -> None:
        def keep() -> None:
            for card in self.cards:
                if not self._queue.picture(card.file).proposal:
                    self._queue.propose(card.file, "keep")

        if self._try(keep):
            self._show_unseen()

    def _undo(self) -> None:
        def undo() -> None:
            picture = self._queue.undo()
            if picture is None:
                raise UserError("There is nothing to undo.")
            place = self._queue.pictures.index(picture)
            if not self._start <= place < self._start + self._size:
                self._show(place - place % self._size)

        self._try(undo)

    def _turn_page(self, pages: int) -> None:
        if self._try(self._queue.refresh):
            self._show(self._start + pages * self._size)

    def _show_unseen(self) -> None:
        """Show the page with the next picture that has no proposal; if there is none, stay on this page."""
        last = self.cards[-1].file if self.cards else None
        picture = self._queue.next_unseen(last)
        place = self._queue.pictures.index(picture) if picture else self._start
        self._show(place - place % self._size)

    def _show(self, start: int) -> None:
        last = max(0, len(self._queue.pictures) - 1)
        self._start = min(max(0, start), last - last % self._size)
        pictures = self._queue.pictures[self._start : self._start + self._size]
        self.cards = [Card(self, self._queue, picture) for picture in pictures]
        self._page.children = self.cards
        self._update_status()

    def _try(self, action: Callable[[], object]) -> bool:
        """Call `action()`, show its error if there is one, and update the page; return whether there was no error."""
        try:
            action()
        except (UserError, OSError) as error:
            self._trouble.value = f'<b style="color: {COLOURS["delete"]}">{html.escape(str(error))}</b>'
            return False
        else:
            self._trouble.value = ""
            return True
        finally:
            for card in self.cards:
                card.update()
            self._update_status()

    def _update_status(self) -> None:
        counts, total = self._queue.counts(), len(self._queue.pictures)
        end = min(self._start + self._size, total)
        place = f"Pictures {self._start + 1 if total else 0} to {end} of {total}, by loss."
        text = f"{place} {html.escape(progress_text(self._queue))}"
        if counts["seen"] == total:
            text += " <b>All are reviewed.</b> To write a new data set: "
            text += f"<code>{html.escape(apply_command(self._queue))}</code>"
        self.status.value = text
        self.keep_rest.disabled = counts["seen"] == total
        self.back.disabled, self.forward.disabled = self._start == 0, end >= total


class Card(widgets.VBox):
    """One picture, what the model says about it, and the proposal.

    Attributes:
        file: the picture's path, as in the review.
        choice: the dropdown for the proposal; its values are (proposal, new label).
        grade: the dropdown for the grade, from 1 (the best) to 5, or None.
    """

    def __init__(self, page: ReviewWidget, queue: ReviewQueue, picture: Picture) -> None:
        self.file, self._page, self._queue = picture.file, page, queue
        self._filling = False  # while the program sets values, not the user
        relabels = [(f"→ {name}", ("relabel", name)) for name in queue.classes if name != picture.label]
        self.choice = widgets.Dropdown(
            options=[("not seen", ("", "")), ("keep", ("keep", "")), ("delete", ("delete", "")), *relabels],
            layout=widgets.Layout(width=f"{SIDE - 58}px"),
        )
        self.grade = widgets.Dropdown(
            options=[("1–5", None), *((str(grade), grade) for grade in GRADES)],
            tooltip="1 is the best",
            layout=widgets.Layout(width="58px"),
        )
        self.choice.observe(self._on_choice, "value")
        self.grade.observe(self._on_grade, "value")
        says = picture.predicted if picture.predicted != picture.label else "the same"
        caption = widgets.HTML(
            f"<div style='line-height: 1.3' title='{html.escape(picture.file, quote=True)}'>"
            f"<b>{html.escape(picture.label)}</b><br>model: {html.escape(says)} ({picture.confidence:.0%})<br>"
            f"loss {picture.loss:.2f} · {html.escape(picture.split)}</div>"
        )
        super().__init__([_image(queue, picture), caption, widgets.HBox([self.choice, self.grade])])
        self.layout.padding = "4px"
        self.update()

    def update(self) -> None:
        """Show the proposal that is in the review now."""
        try:
            picture = self._queue.picture(self.file)
        except UserError:  # the picture was removed from the file
            return
        self._filling = True
        try:
            self.choice.value = (picture.proposal, picture.new_label)
            self.grade.value = picture.grade
        finally:
            self._filling = False
        self.layout.border = f"3px solid {COLOURS[picture.proposal]}"

    def _on_choice(self, change: dict) -> None:
        if not self._filling:
            proposal, new_label = self.choice.value
            grade = self.grade.value if proposal in ("keep", "relabel") else None
            self._page.propose(self.file, proposal, new_label, grade)

    def _on_grade(self, change: dict) -> None:
        if not self._filling:
            proposal, new_label = self.choice.value
            if proposal == "delete":
                proposal = "keep"  # a grade means that the picture is wanted
            self._page.propose(self.file, proposal, new_label, self.grade.value)


def _image(queue: ReviewQueue, picture: Picture) -> widgets.Widget:
    layout = widgets.Layout(width=f"{SIDE}px", height=f"{SIDE}px", object_fit="contain")
    try:
        content, kind = encode_for_browser(queue.folder / picture.file, SIDE)
    except UserError as error:
        return widgets.HTML(f"<i>{html.escape(str(error))}</i>", layout=layout)
    return widgets.Image(value=content, format=kind.rpartition("/")[2], layout=layout)


def _button(text: str, action: Callable[[], None], style: str = "") -> widgets.Button:
    button = widgets.Button(description=text, button_style=style, layout=widgets.Layout(width="auto"))
    button.on_click(lambda _: action())
    return button
