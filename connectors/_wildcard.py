"""Names with ``*``, as the engines match them: any run of characters, dots included."""

from __future__ import annotations

import re
from functools import lru_cache


def is_pattern(name: str) -> bool:
    """Whether the name is to be matched rather than looked up."""
    return "*" in name


def matches(pattern: str, name: str) -> bool:
    """Whether the whole name matches."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
