"""Start the web server for a shipped model.

python -m app FOLDER
"""

from app.web_server import serve
from lab_kit.program import run

if __name__ == "__main__":
    serve.__module__ = __package__  # the name of the program in --help
    run(serve)
