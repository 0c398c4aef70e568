"""Answers the API server: TLS, HTTP, files that change underneath, probes, metrics and one page for people.

It decides nothing (that is `webhook.core`), holds no credential but its serving key and calls nobody. Every process
here is started by `serve.serve`.
"""
