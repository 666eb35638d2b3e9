"""How Sphinx makes the pages: there is no conf.py, all settings are here."""

import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

from curriculum.manifest import Manifest
from curriculum.tour import README

STATIC = Path(__file__).resolve().parent / "static"


def settings(manifest: Manifest) -> dict[str, Any]:
    """Return Sphinx's settings. All that a page needs is in the site: no fonts, styles or scripts from elsewhere."""
    project = tomllib.loads((manifest.root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    heading = (manifest.root / README).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
    name = heading.partition(":")[0]
    return {
        "project": name,
        "release": project.get("version", ""),
        "language": "en",
        "extensions": ["myst_nb", __name__],
        # Markdown, as GitHub reads it
        "myst_enable_extensions": ["dollarmath"],
        "myst_dmath_allow_space": False,
        "myst_dmath_allow_digits": False,
        "myst_dmath_double_inline": True,
        "myst_heading_anchors": 6,
        "highlight_language": "text",
        # How deep a heading is, and which words a colouring does not know, are matters of taste.
        "suppress_warnings": ["myst.header", "misc.highlighting_failure"],
        # Notebooks, as they were run for the repository
        "nb_execution_mode": "off",
        "nb_merge_streams": True,
        "nb_ipywidgets_js": {},
        # Pages
        "html_math_renderer": "mathml",
        "html_theme": "pydata_sphinx_theme",
        "html_title": name,
        "html_static_path": [str(STATIC)],
        "html_css_files": ["course.css"],
        "html_use_index": False,  # of nothing: the kit is described in plain words
        "html_copy_source": False,
        "html_show_sourcelink": False,
        "html_sidebars": {"index": []},
        "html_theme_options": {
            "icon_links": [
                {"name": "GitHub", "url": f"https://github.com/{manifest.repository}", "icon": "fa-brands fa-github"}
            ],
            "header_links_before_dropdown": 5,
            "navigation_with_keys": False,
            "show_toc_level": 2,
            "pygments_light_style": "a11y-high-contrast-light",
            "pygments_dark_style": "a11y-high-contrast-dark",
            "footer_start": ["copyright"],
            "footer_end": [],
        },
    }


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx write formulas as MathML, which browsers and screen readers know without a script."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode
