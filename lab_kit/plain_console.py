"""A console that prints text as it is, and leaves what somebody may want to copy in one piece."""

import os
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDEST = 100_000  # columns: wider than any table


class PlainConsole(Console):
    """Rich's console, to which a folder called `runs[/old]` or `a:b:c` is a name, and no markup or emoji.

    Args:
        settings: rich's own.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **settings)

    def on_broken_pipe(self) -> None:
        """Say no more, where nobody listens (as after `| head`): what is to be done is done all the same."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def print(self, *objects: Any, **how: Any) -> None:
        """Print as rich does, but for a table's title: it may be a path, so it is not broken at the table's width."""
        if len(objects) == 1 and isinstance(table := objects[0], Table) and table.title is not None:
            super().print(str(table.title), style=table.title_style or "bold", soft_wrap=True)
            table.title = None
        super().print(*objects, **how)

    def print_framed(self, title: str, text: str, style: str) -> None:
        """Print text between two lines; a word that is wider than the console, such as a path, stays whole."""
        self.print(Rule(title, style=style))
        for line in text.split("\n"):
            self.print(textwrap.fill(line, self.width, break_long_words=False, break_on_hyphens=False), soft_wrap=True)
        self.print(Rule(style=style))

    def print_facts(self, title: str, facts: Mapping[str, object]) -> None:
        """Print names and values as a table; where that is too wide, one below the other, with no value broken."""
        table = Table(title=title, show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column()
        for name, value in facts.items():
            table.add_row(name, str(value))
        if self.measure(table, options=self.options.update(max_width=WIDEST)).maximum <= self.width:
            self.print(table)
            return
        self.print(title, style="bold", soft_wrap=True)
        longest = max(map(len, facts))
        for name, value in facts.items():
            self.print(Text.assemble((f"{name:<{longest}}  ", "cyan"), str(value)), soft_wrap=True)
