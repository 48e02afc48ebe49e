"""Reading the pages of the tests: their tags and texts, and names that attack them."""

from __future__ import annotations

from html.parser import HTMLParser

EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\" onload=\"alert(2)"


class Tags(HTMLParser):
    """Collects the tags, their attributes, and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.html = html
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def check_self_contained(self) -> None:
        """No script, nothing loaded, and every link leads to a place on the page."""
        assert not {"script", "iframe", "object", "embed", "img", "form"} & {tag for tag, _ in self.tags}
        links = [value for _, attributes in self.tags for name, value in attributes.items() if name in ("href", "src")]
        assert all(link is not None and link.startswith(("#", "data:")) for link in links)
        assert not any(word in self.html for word in ("url(", "http:", "https:"))
        anchors = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(set(anchors)) == len(anchors)
        assert {link[1:] for link in links if link and link.startswith("#")} <= set(anchors)
