"""Joints -> video. Knows no text model and no network."""
