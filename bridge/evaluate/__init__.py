"""What the bridge gains: judged queries searched directly and through it, measured and compared.

``dataset`` reads documents, queries and judgments; ``index`` loads them into an engine; ``evaluation`` searches and
compares; ``report`` shows. Nothing here knows the bridge from inside: it is reached by URL, as a user's client does.
"""
