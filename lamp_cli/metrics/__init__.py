"""Figures of merit as pure functions on arrays and strings, each named after its paper.

Knows no network, no file format and no command line; who measures hands in embeddings, similarities,
joints or captions.
"""
