"""Further clips from the real ones of a training split: time-warped, spliced, and composed by body part."""
