"""Settings of the site (``make docs``). A page that is read loads nothing from a network."""

from __future__ import annotations

import sys
from pathlib import Path

import contraction

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "training-in-reverse"
author = "The training-in-reverse developers"
copyright = "2026, the training-in-reverse developers"
version = release = contraction.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "mathml",
    "plain_docstrings",
    "play",
    "registry",
    "short_navigation",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
templates_path = ["_templates"]  # pages of the reference have the short name as their title
exclude_patterns = ["_build", "_templates"]
nitpicky = False
default_role = "py:obj"

myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # types stand in the docstrings
autodoc_default_options = {"members": True, "undoc-members": False}
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "training-in-reverse"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, sans-serif"},
    "dark_css_variables": {"font-stack": "system-ui, sans-serif"},
}
copybutton_prompt_text = ">>> "
