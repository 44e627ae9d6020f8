"""Pages of HTML."""

from pathlib import Path

from src.pages import STYLE, data_uri, render


def test_a_page_has_the_style_as_it_is_and_its_values_escaped(tmp_path: Path):
    template = tmp_path / "a.html"
    template.write_text("<style>{{ style | safe }}</style><p>{{ text }}</p>")
    page = render(template, text="<script>")
    assert STYLE.read_text() in page
    assert "<p>&lt;script&gt;</p>" in page


def test_a_picture_is_in_the_page_itself():
    assert data_uri(b"\x00\x01", "png") == "data:image/png;base64,AAE="
