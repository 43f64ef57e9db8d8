"""A trained bundle over HTTP: an MMCP server for animation programs, and one page to try it in.

Needs the packages of the extra ``serve``, which nothing else of the package imports.
"""
