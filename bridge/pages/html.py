"""A template and what it shows as one HTML file, which opens from disk and asks no network for anything.

Charts are SVG made here rather than by plotly, whose script would add 4 MB to each file and leave nothing to see
without JavaScript. What is shown is foreign text: the template escapes whatever it is given, and by its policy
(Content Security Policy Level 3, W3C) the page runs and loads nothing but the one script and style that are in it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bridge.errors import DataError
from bridge.version import __version__

_STYLE = "page.css"


def rendered(package: str, template: str, script: str, members: Mapping[str, object]) -> str:
    """The HTML of a template in a package, with a script that lies beside it and the style that all pages share.

    Beside ``members`` the template has ``style``, ``script``, ``policy`` and ``version``.
    """
    own = {"style": _text_of("bridge.pages", _STYLE), "script": _text_of(package, script)}
    environment = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    policy = _policy(own["style"], own["script"])
    return environment.get_template(template).render({**members, **own, "policy": policy, "version": __version__})


def write(page: str, file: Path) -> None:
    """Writes a page. Raises ``DataError`` where that can't be done."""
    try:
        # A name may hold what is no text; the rest of the page shall not suffer.
        file.write_bytes(page.encode("utf-8", errors="replace"))
    except OSError as error:
        raise DataError(str(file), f"can't be written: {error}") from error


def _text_of(package: str, name: str) -> Markup:
    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    return Markup(text)  # noqa: S704 - a file of this package


def _policy(style: str, script: str) -> str:
    """Nothing from anywhere, and no style or script but these two, known by what is in them."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
