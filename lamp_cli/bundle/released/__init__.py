"""Weights that others published, by the names in their files, as networks of ours."""
