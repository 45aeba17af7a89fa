from __future__ import annotations

import pytest

from bridge.errors import ConfigError
from bridge.evaluate.systems import Configured, Running, wanted_systems

KNOWN = ("model", "window", "blend_weight", "exact_fields")
URL = "http://localhost:9400"


def test_no_system_named_is_a_bridge_as_configured() -> None:
    """Where nothing is named, one bridge is started with nothing of its own."""
    assert wanted_systems((), (), KNOWN) == (Configured("bridged", {}),)


def test_systems_have_names_and_settings() -> None:
    """A value may hold commas, colons and equals signs: it ends where another setting begins."""
    text = "a-1=model:small:30,owner/large=x,exact_fields:sku,title,window: 50"
    (found,) = wanted_systems([text], (), KNOWN)
    settings = {"model": "small:30,owner/large=x", "exact_fields": "sku,title", "window": "50"}
    assert found == Configured("a-1", settings)


def test_running_bridges_are_named_or_numbered() -> None:
    """One URL is the bridged system, several have numbers, unless they are given names; those to start come first."""
    assert wanted_systems((), [URL], KNOWN) == (Running("bridged", URL),)
    assert wanted_systems((), [URL, f"old={URL}/a=b"], KNOWN) == (
        Running("bridge 1", URL),
        Running("old", f"{URL}/a=b"),
    )
    assert [one.name for one in wanted_systems(["s=window:9"], [URL], KNOWN)] == ["s", "bridged"]


MISTAKES = {
    "no name": ("window:50", "a system is NAME=setting:value"),
    "no setting": ("a=", "'' is no setting"),
    "setting of the whole bridge": (
        "a=listen:1",
        "'listen' is no setting that a system has for itself; there are blend_",
    ),
    "something before a setting": ("a=fast,window:2", "'fast,window' is no setting"),
    "setting twice": ("a=window:1,window:2", "a setting comes twice"),
    "name of the engine": ("direct=window:2", "two systems are named direct"),
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told(text: str, problem: str) -> None:
    """What is no system is refused with the reason, and a name stands for one system."""
    with pytest.raises(ConfigError) as raised:
        wanted_systems([text], (), KNOWN)
    assert problem in str(raised.value)


def test_all_mistakes_are_told_at_once() -> None:
    """Every system that can't be is named in one error."""
    with pytest.raises(ConfigError) as raised:
        wanted_systems(["window:50", "a=b:c", "x=window:2", "x=window:3"], (), KNOWN)
    assert len(raised.value.problems) == 3


@pytest.mark.parametrize("address", ["localhost:9400", "old=localhost:9400", "ftp://localhost", "http://"])
def test_bridge_that_is_no_address_is_told(address: str) -> None:
    """What can't be reached by its name is refused before anything is loaded."""
    with pytest.raises(ConfigError, match="--bridge: "):
        wanted_systems((), [address], KNOWN)
