"""Serve a shipped model.

python -m text_recognizer.web FOLDER
"""

from text_recognizer.program import run
from text_recognizer.web.server import serve

if __name__ == "__main__":
    serve.__module__ = __package__  # by which the help calls this program
    run(serve)
