"""After a change of code, the passages that mention what has changed are listed."""

import re
import subprocess

import pytest

from curriculum import mentions
from curriculum.changed_code import Changed, changes
from tests.small_course import edit

README = """\
# Lab 2

| `dropout` | sets a random quarter of the numbers to zero |

A quarter of an hour later, you are done.





Nothing to see here.
"""


@pytest.fixture
def committed(course, monkeypatch):
    """Return a small course with texts that mention its code, committed."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a teacher")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "teacher@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    texts = {
        "lab1/README.md": "Dropout of 0.25 is for lab 2.\n",
        "lab2/README.md": README,
        "lab2/homework/README.md": "Take the max-pooling out: `max_pool`.\n",
        "docs/glossary.md": "**Dropout**: 25 % of the numbers.\nA quarter.\n",
        "notebooks/lab2/01-look.py": "# %% [markdown]\n# # Look\n# Its ConvBlock, its width of 64\n",
        "curriculum/solutions/lab2/text_recognizer/models/cnn.py": "DROPOUT = 0.25\n",
    }
    for name, text in texts.items():
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text(text)
    git(course, "init", "-q")
    git(course, "add", ".")
    git(course, "commit", "-qm", "the course")
    return course


def git(folder, *arguments):
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def places(out):
    return re.findall(r"^  (\S+:\d+): ", out, re.MULTILINE)


def test_a_changed_number_leads_to_its_value_in_words_and_digits(committed, tool):
    edit(committed / "text_recognizer/models/cnn.py", "DROPOUT = 0.25", "DROPOUT = 0.5")
    code, out, _ = tool("mentions")
    assert code == 0
    assert out.startswith("text_recognizer/models/cnn.py: DROPOUT was 0.25 and is 0.5. Is this still true?\n")
    assert "  lab2/README.md:3: 'dropout', 'quarter': | `dropout` | sets a random quarter of" in out
    assert places(out) == [
        "lab2/README.md:3",
        "lab2/README.md:5",  # a quarter, near its name
        "curriculum/solutions/lab2/text_recognizer/models/cnn.py:1",
        "docs/glossary.md:1",
        "docs/glossary.md:2",
    ]  # and nothing of lab 1, which does not have the file


def test_changed_defaults_and_names_that_are_gone_lead_to_their_mentions(committed, tool):
    path = committed / "text_recognizer/models/cnn.py"
    edit(path, "width: int = 64", "width: int = 32")
    edit(path, "        self.max_pool = max\n", "")
    edit(path, "class ConvBlock", "class Block")
    _, out, _ = tool("mentions")
    assert "width was 64 and is 32." in out
    assert "  notebooks/lab2/01-look.py:3: 'width', '64': # Its ConvBlock, its width of 64" in out
    assert "ConvBlock has changed." in out
    assert "  lab2/homework/README.md:1: 'max_pool': " in out


def test_changes_since_an_earlier_commit_count_too(committed, tool):
    edit(committed / "text_recognizer/models/cnn.py", "DROPOUT = 0.25", "DROPOUT = 0.5")
    git(committed, "commit", "-qam", "more")
    assert tool("mentions")[1] == "Nothing mentions what has changed since HEAD.\n"
    assert "DROPOUT was 0.25" in tool("mentions", "--since", "HEAD~1")[1]
    code, _, err = tool("mentions", "--since", "yesterday")
    assert code == 2
    assert "git cannot tell what has changed" in err
    assert err.count("\n") == 1


def test_comments_docstrings_new_files_and_formatting_change_nothing(committed, tool):
    path = committed / "text_recognizer/models/cnn.py"
    edit(path, '"""A CNN."""', '"""A CNN, with dropout and max-pooling."""')
    edit(path, "DROPOUT = 0.25", "DROPOUT = 0.250  # a quarter")
    (committed / "text_recognizer/models/quarter.py").write_text("DROPOUT = 0.25\n")
    assert "0.25 and is" not in tool("mentions")[1]


def test_check_ends_with_this_advice_and_is_as_green_as_without(committed, tool):
    for root in (committed, committed / "lab2", committed / "lab3"):
        edit(root / "text_recognizer/models/cnn.py", "DROPOUT = 0.25", "DROPOUT = 0.5")
    tool("build")
    code, out, _ = tool("check")
    faults, _, advice = out.partition("\n\n")
    assert code == 1
    assert faults == "lab2/notebooks/01-look.ipynb is missing: `python -m curriculum notebooks` builds it."
    assert "lab2/README.md:3: 'dropout', 'quarter'" in advice


@pytest.mark.parametrize("missing", ["repository", "program"])
def test_without_git_one_line_says_so(course, tool, monkeypatch, missing):
    if missing == "program":
        monkeypatch.setenv("PATH", "")
    else:
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(course.parent))
    code, out, _ = tool("check")
    assert code == 0
    [line] = [line for line in out.splitlines() if "git" in line]
    assert line.startswith("What mentions changed code was not looked for: git ")
    code, _, err = tool("mentions")
    assert code == 2
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("value", "texts", "others"),
    [
        (
            "0.25",
            ["0.25", "25%", "25 percent", "a quarter", "1/4", "¼", "one in four"],
            ["0.255", "10.25", "quartered", "125%"],
        ),
        ("0.5", ["half", "50 %", "1/2", "one of two"], ["behalf", "0.55"]),
        ("0.1", ["a tenth", "10%"], ["tent", "110%"]),
        ("0.75", ["three quarters", "75%"], ["a quarter"]),
        ("5000", ["5000", "5,000"], ["15,000", "5,000,000", "50001"]),
        ("3", ["3", "three times", "3."], ["13", "3.5", "threefold"]),
        ("'pen'", ["pen"], []),
        ("True", [], ["True", "1"]),
        ("(1, 2)", [], ["1"]),
        ("", [], ["", "0"]),
    ],
)
def test_a_value_is_found_as_people_write_it(value, texts, others):
    pattern = re.compile("|".join(mentions.in_words(value)) or r"(?!)", re.IGNORECASE)
    assert [text for text in texts if not pattern.search(text)] == []
    assert [text for text in others if pattern.search(text)] == []


def test_what_counts_as_changed():
    before = "mean, std = 0.1, 0.3\n\n\ndef train(lr: float = 1.0, *, steps=3):\n    count = 0\n    loss = lr\n"
    after = "mean, std = 0.1, 0.4\n\n\ndef train(lr: float = 2.0, *, steps=3):\n    count = 0\n    loss = 2 * lr\n"
    found = changes("a.py", before, after)
    assert found == [
        Changed("a.py", "std", "0.3", "0.4"),
        Changed("a.py", "lr", "1.0", "2.0"),
        Changed("a.py", "loss"),
        Changed("a.py", "mean"),
        Changed("a.py", "steps"),
        Changed("a.py", "train"),
    ]
    assert changes("a.py", before, before) == []
    assert changes("a.py", f"import os\n{before}", "") == [Changed("a.py", name) for name in ("mean", "std", "train")]
