"""Further clips from the real ones of a training split: time-warped, spliced, and composed by body part."""

from .recombiner import RealClip, RecombinedClip, Recombiner

__all__ = ["RealClip", "RecombinedClip", "Recombiner"]
