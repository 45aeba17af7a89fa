"""Recorded searches sent again, directly and through the bridge: what would change, and whether it is safe.

::

    formats -> LoggedSearch -> runner (pacing, http_client) -> records in a folder -> report
"""
