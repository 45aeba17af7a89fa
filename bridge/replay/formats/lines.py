"""Files of lines, as they are read for evaluations too."""

from bridge.evaluate.lines import lines_of, read_head

__all__ = ["lines_of", "read_head"]
