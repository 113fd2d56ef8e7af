"""Pictures inside pages."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup


def safe_svg(svg: str) -> "Markup":
    """Mark an SVG that this package drew as safe to stand in a page as it is."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704 - our own SVG; every text in it is escaped
