"""Judges of motions and of captions: whether they do, or say, what was asked."""
