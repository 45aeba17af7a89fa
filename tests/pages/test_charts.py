"""Charts, read as the XML that they are."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from bridge.pages.charts import Axis, Bar, Curve, Heading, differences, histogram, interval, lines, share_bar, slopes
from bridge.pages.scales import Linear

HEADING = Heading("k", "Title & more", "What <it> shows")


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def of_class(svg: ET.Element, name: str) -> list[ET.Element]:
    return [part for part in svg.iter() if name in part.get("class", "").split()]


def texts(svg: ET.Element) -> list[str]:
    return ["".join(part.itertext()) for part in svg.iter("text")]


def test_a_chart_says_what_it_is() -> None:
    """To those who can't see it: a title and a description that the drawing points to, foreign signs escaped."""
    svg = parsed(histogram(HEADING, [Bar("a<b", 1)], "x", "y"))
    named = {part.get("id"): part.text for part in svg.iter() if part.get("id")}
    assert svg.get("role") == "img"
    assert [named[key] for key in svg.get("aria-labelledby", "").split()] == ["Title & more", "What <it> shows"]
    assert "a<b" in texts(svg)


def test_bars_are_as_high_as_their_counts() -> None:
    """From the axis up, the highest to the top; none where there is none."""
    svg = parsed(histogram(HEADING, [Bar("0", 50, "same"), Bar("1", 200, "rose"), Bar("2", 0)], "x", "y"))
    heights = [float(bar.get("height", "")) for bar in of_class(svg, "count")]
    assert heights[0] == pytest.approx(heights[1] / 4, abs=0.1)
    assert heights[2] == 0
    assert [bar.get("class") for bar in of_class(svg, "count")] == ["count same", "count rose", "count "]


def test_labels_have_room_and_zero_has_one() -> None:
    """Of many bars every so many is labelled, among them zero; a short label stands for a long one."""
    svg = parsed(histogram(HEADING, [Bar(f"{move:+d}" if move else "0", 1) for move in range(-9, 10)], "x", "y"))
    assert texts(svg)[2:-2] == ["-8", "-6", "-4", "-2", "0", "+2", "+4", "+6", "+8"]
    assert "11" in texts(parsed(histogram(HEADING, [Bar("11-15", 1, "", "11")], "x", "y")))
    assert texts(parsed(histogram(HEADING, [], "x", "y")))[-2:] == ["x", "y"]


def test_curves_go_through_their_points_and_differ_without_colour() -> None:
    """Right and up is more; each curve has its own mark, and its name above where there are several."""
    curves = [Curve(name, [(0, 0), (1, 10)]) for name in ("first & only", "x" * 90)]
    axis = Axis("a", Linear(10.0))
    svg = parsed(lines(HEADING, Axis("b", Linear(1.0)), axis, curves))
    (drawn,) = [part for part in of_class(svg, "c1") if part.tag == "path" and "L" in part.get("d", "")]
    (left, low), (right, high) = (point.split() for point in drawn.get("d", "")[1:].split("L"))
    assert float(left) < float(right)
    assert float(low) > float(high)
    shapes = [
        {mark.get("d", "").partition("a")[2] or "square" for mark in of_class(svg, f"c{kind}")} for kind in (0, 1)
    ]
    assert shapes[0] != shapes[1]
    assert "first & only" in texts(svg)
    assert "x" * 39 + "…" in texts(svg)
    assert "first & only" not in texts(parsed(lines(HEADING, axis, axis, curves[:1])))


def test_a_curve_without_points() -> None:
    """A system that never answered has a name and no line."""
    axis = Axis("a", Linear(1.0))
    svg = parsed(lines(HEADING, axis, axis, [Curve("some", [(0, 0), (1, 1)]), Curve("none", [])]))
    assert "none" in texts(svg)
    assert len(of_class(svg, "mark")) == 4
    assert len(of_class(svg, "line")) == 3


def test_shares_and_intervals() -> None:
    """Widths in percent, a lighter reach only where it goes further; zero in the middle of an interval."""
    assert [bar.get("width") for bar in parsed(share_bar(0.25, 0.5))] == ["50", "25"]
    assert [bar.get("width") for bar in parsed(share_bar(0.25))] == ["25"]
    (mark,) = of_class(parsed(interval(-0.1, 0.0, 0.2, 0.2)), "mark")
    assert mark.get("cx") == "100"


def test_slopes() -> None:
    """From a hit's place on the left page to that on the right, by what became of it."""
    svg = parsed(slopes([(0, 2), (2, 0), (1, 1), (3, None), (None, 3)], 4))
    assert {part.get("class"): part.get("d") for part in svg} == {
        "fell": "M0 5L100 25",
        "rose": "M0 25L100 5",
        "same": "M0 15L100 15",
        "gone": "M0 35L100 40",
        "new": "M0 40L100 35",
    }


def test_differences_rise_and_fall_from_zero() -> None:
    """Gains go up from the middle and losses down, as far as they are large; what is the same has no bar."""
    svg = parsed(differences(HEADING, [0.5, 0.25, 0.0, -0.5], "x", "y"))
    (gains,), (losses,) = (of_class(svg, kind) for kind in ("rose", "fell"))
    (axis,) = of_class(svg, "axis")
    zero = float(axis.get("d", "").split()[1].split("H")[0])
    heights = [zero - float(part.split("V")[1].split("h")[0]) for part in gains.get("d", "").split("z") if part]
    depths = [zero - float(part.split("V")[1].split("h")[0]) for part in losses.get("d", "").split("z") if part]
    assert len(heights) == 2
    assert heights[0] == pytest.approx(2 * heights[1], abs=0.2)
    assert depths == pytest.approx([-heights[0]], abs=0.2)


def test_no_difference_at_all_is_an_empty_chart() -> None:
    """Where nothing differs, or nothing is there, the axis stands alone."""
    for values in ([], [0.0, 0.0]):
        svg = parsed(differences(HEADING, values, "x", "y"))
        assert (of_class(svg, "count"), len(of_class(svg, "axis"))) == ([], 1)
