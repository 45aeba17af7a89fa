"""Writes what the installed Python says about itself: one JSON line per documented public name.

Run as a script, by ``bridge.demo.corpus``, in a process of its own: it imports the whole standard library, and what an
import prints, changes or hangs on stays in there. Only the standard library is imported.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

MAX_TEXT_CHARS = 4_000
"""Longer docstrings are whole manuals (``ctypes``, ``turtle``); their beginning says what they are."""
MIN_TEXT_WORDS = 2
ALIASES = {"posixpath": "os.path", "ntpath": "os.path"}
"""The module that a platform calls ``os.path`` is known by that name alone."""
SKIPPED_MODULES = re.compile(
    r"(^|\.)(_|test$|tests$|idle_test$)"
    r"|^(antigravity|this|idlelib|turtledemo|ensurepip)\b"  # act on import, or are programs
    r"|^(lib2to3|distutils|pydoc_data|sre_\w+|xx\w+)\b"  # gone from later versions, or nobody's interface
    r"|^(posix|nt|genericpath)$"  # known as os and os.path
    r"|^encodings\."  # a hundred code pages, all with the same text
)
GENERATED = re.compile(r"^Alias for field number \d+$")
DOCUMENTED = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.MethodDescriptorType,
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    type(functools.cache(len)),
    functools.cached_property,
    property,
    type,
)
PLAIN = (type(None), bool, int, float, str, bytes)


class Entry(NamedTuple):
    """A public name, and what it names."""

    module: str
    name: str
    """Within the module; members of classes have dots in it. Empty for the module itself."""
    thing: Any

    @property
    def qualified(self) -> str:
        """The name that users know."""
        if not self.name:
            return self.module
        return self.name if self.module == "builtins" else f"{self.module}.{self.name}"

    @property
    def preference(self) -> tuple[bool, int, bool, str]:
        """Smaller for the better of several names of one thing: its own name, and the least deep."""
        home = getattr(self.thing, "__module__", None)
        depth = -1 if self.module == "builtins" else self.qualified.count(".")
        return (self.name != getattr(self.thing, "__name__", self.name), depth, home != self.module, self.qualified)


def import_modules() -> dict[str, types.ModuleType]:
    """All public modules of the standard library that can be imported here, by the name that users know."""
    modules: dict[str, types.ModuleType] = {}
    names = sorted(name for name in sys.stdlib_module_names if not SKIPPED_MODULES.search(name))
    while names:
        name = names.pop(0)
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: BLE001, S112 - made for another platform, or not built here
            continue
        if name in ALIASES and module is not os.path:
            continue
        modules[ALIASES.get(name, name)] = module
        if hasattr(module, "__path__"):
            inside = (f"{name}.{found.name}" for found in pkgutil.iter_modules(module.__path__))
            names += sorted(each for each in inside if not SKIPPED_MODULES.search(each))
    return modules


def exported(module_name: str, module: types.ModuleType) -> Iterator[Entry]:
    """The classes and functions that a module offers."""
    declared = getattr(module, "__all__", None)
    for name in sorted(set(vars(module) if declared is None else declared)):
        thing = getattr(module, name, None)
        if name.startswith("_") or not isinstance(thing, DOCUMENTED):
            continue
        home = str(getattr(thing, "__module__", ""))
        is_own = declared is not None or module_name == "builtins" or home in {module.__name__, f"_{module.__name__}"}
        if is_own and not is_hidden_base(module, thing):
            yield Entry(module_name, name, thing)


def is_hidden_base(module: types.ModuleType, thing: object) -> bool:
    """Whether a class stands behind a subclass that took its name, as ``_socket.socket`` behind ``socket.socket``."""
    front = getattr(module, getattr(thing, "__name__", ""), thing)
    return isinstance(thing, type) and isinstance(front, type) and front is not thing and issubclass(front, thing)


def identity(thing: object) -> int:
    """Equal for all names of one thing; a bound method is the function that it binds."""
    return id(getattr(thing, "__func__", thing))


def preferred(entries: list[Entry]) -> list[Entry]:
    """One entry for each thing, under its best name."""
    best: dict[int, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.preference):
        best.setdefault(identity(entry.thing), entry)
    return list(best.values())


def members(entry: Entry, public_classes: set[int]) -> Iterator[Entry]:
    """What a class defines: itself, or in private bases. What public bases define stands under their names."""
    seen: set[str] = set()
    for base in entry.thing.__mro__:
        if base is not entry.thing and (id(base) in public_classes or base is object):
            seen |= set(vars(base))
            continue
        for name in sorted(set(vars(base)) - seen):
            seen.add(name)
            thing = vars(base)[name]
            if isinstance(thing, (staticmethod, classmethod)):
                thing = thing.__func__
            if name.startswith("_") or not isinstance(thing, DOCUMENTED):
                continue
            member = Entry(entry.module, f"{entry.name}.{name}", thing)
            yield member
            if isinstance(thing, type) and id(thing) not in public_classes:
                yield from members(member, public_classes | {id(thing)})


def text_of(thing: object) -> str:
    """The docstring of the thing itself, not of its class or base; empty where it has none.

    A class is described by its own docstring and by its initializer's, if that is written in Python: those of C slots
    say nothing.
    """
    if isinstance(thing, type):
        initializer = vars(thing).get("__init__")
        parts = [
            vars(thing).get("__doc__"),
            initializer.__doc__ if isinstance(initializer, types.FunctionType) else None,
        ]
    else:
        parts = [getattr(thing, "__doc__", None)]
    text = "\n\n".join(inspect.cleandoc(part) for part in parts if isinstance(part, str)).strip()
    if len(text.split()) < MIN_TEXT_WORDS or GENERATED.match(text):
        return ""
    return text[:MAX_TEXT_CHARS]


def signature_of(thing: object) -> str:
    """The parameters in brackets, without annotations; empty where they are not known."""
    if isinstance(thing, (property, functools.cached_property)) or not callable(thing):
        return ""
    try:
        signature = inspect.signature(thing)
    except (ValueError, TypeError, NameError, AttributeError):
        return ""
    parameters = [
        each.replace(
            annotation=each.empty, default=_Shown(each.default) if each.default is not each.empty else each.empty
        )
        for each in signature.parameters.values()
        if each.name not in {"self", "cls"}
    ]
    return str(inspect.Signature(parameters))


class _Shown:
    """A default value that looks the same in every run: no addresses, no paths of this machine."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __repr__(self) -> str:
        is_path = isinstance(self._value, str) and Path(self._value).is_absolute()
        return repr(self._value) if type(self._value) in PLAIN and not is_path else "..."


def harvest() -> Iterator[dict[str, str]]:
    """One document per documented name, sorted by name. Equal texts under equal last names appear once."""
    modules = import_modules()
    entries = preferred([entry for name, module in modules.items() for entry in exported(name, module)])
    classes = [entry for entry in entries if isinstance(entry.thing, type)]
    public_classes = {id(entry.thing) for entry in classes}
    entries += [member for entry in classes for member in members(entry, public_classes)]
    entries = preferred(entries) + [Entry(name, "", module) for name, module in modules.items()]
    found: dict[tuple[str, str], dict[str, str]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.qualified.count("."), entry.qualified)):
        name = entry.qualified
        if text := text_of(entry.thing):
            signature = signature_of(entry.thing) if entry.name else ""
            found.setdefault(
                (name.rpartition(".")[2], text), {"_id": name, "title": f"{name}{signature}", "text": text}
            )
    yield from sorted(found.values(), key=lambda document: document["_id"])


def main() -> None:
    """Write the documents to standard output, which no imported module may write to."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        output.writelines(json.dumps(document) + "\n" for document in harvest())


if __name__ == "__main__":
    main()
