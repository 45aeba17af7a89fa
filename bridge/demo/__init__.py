"""The demo: a real engine from pip, a corpus made from the installed Python, and judged questions."""
