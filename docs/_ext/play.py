"""The directive ``play``: the page to play with, whole, so that the site needs no network for it."""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from contraction.report.play import play_html


class Play(Directive):
    """Insert the page as HTML."""

    def run(self) -> list[nodes.Node]:
        """Return one node of raw HTML."""
        return [nodes.raw("", play_html(), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("play", Play)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
