"""What bridges gain: judged queries searched directly and through them, measured and compared.

``judged`` reads queries and judgments in any of the ``formats``, ``dataset`` documents too; ``index`` loads them into
an engine; ``evaluation`` searches and compares; ``report`` and ``report_html`` show. Nothing here but ``sweep`` knows a
bridge from inside: it is reached by URL, as a user's client does.
"""
