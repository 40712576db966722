"""How Sphinx makes the site: ``make site``.

The whole checkout is the source, so links between notebooks, pages and files are the same here and
in the repository. The notebooks come in with their stored outputs; none is run.
"""

import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]
# The site shows what the course ships, also where somebody has trained and saved models.
os.environ["COURSE_HOME"] = str(ROOT / ".cache" / "site" / "home")

from course_utils import __version__  # noqa: E402
from tools import links  # noqa: E402

REPOSITORY = links.project()[0]
IS_PUBLISHED = "/OWNER/" not in REPOSITORY

project = "Networks at Work"
author = "The Networks at Work authors"
copyright = f"{author}. Code: Apache-2.0. Prose and pictures: CC BY 4.0"
version = release = __version__
language = "en"

root_doc = "docs/index"
include_patterns = [
    *("docs/*.md", "docs/*.rst", "notebooks/*.ipynb"),
    *("CHANGELOG.md", "data/DATA.md", "ios/README.md", "deploy/**.md"),
]
exclude_patterns = [
    *(".*", "site", "dist", "benchmarks", "course_utils", "tests", "tools", "test-artifacts"),
    "notebooks/.ipynb_checkpoints",
]
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "openapi",  # this and the next three lie beside this file
    "live_pages",
    "notebook_pages",
    "slides",  # after live_pages, whose pages it shows
]

nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/html", 0), ("html", "image/png", 1)]
myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
python_use_unqualified_type_names = True
napoleon_use_rtype = False

html_theme = "sphinx_book_theme"
html_title = "Networks at Work"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "../course_utils/webapp/src/shared/icon.svg"
html_extra_path = ["extra"]
html_search_scorer = str(ROOT / "docs" / "scorer.js")
html_theme_options: dict[str, Any] = {
    "repository_url": REPOSITORY if IS_PUBLISHED else "",
    "use_repository_button": IS_PUBLISHED,
    "use_issues_button": IS_PUBLISHED,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    # The search stands above the contents; the theme would show it a second time.
    **{f"navbar_{place}": [] for place in ("start", "center", "end", "persistent")},
}
html_context = {"default_mode": "auto"}
