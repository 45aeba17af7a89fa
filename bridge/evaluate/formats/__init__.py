"""Forms in which teams keep judgments, recognised by their content: each module has ``recognises`` and ``read``."""
