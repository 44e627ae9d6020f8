"""Makes pages of HTML from templates: one file with everything in it, which opens offline."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment

STYLE = Path(__file__).with_name("page.css")


def render(template: Path, **values: Any) -> str:
    """A page from a template of Jinja, which puts ``{{ style | safe }}`` into its ``<style>``.

    Other values are escaped.
    """
    page = Environment(autoescape=True, trim_blocks=True).from_string(template.read_text())
    return page.render(style=STYLE.read_text(), **values)


def data_uri(content: bytes, kind: str = "svg+xml") -> str:
    """A picture as a ``data:`` URI."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
