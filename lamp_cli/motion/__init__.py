"""What a motion is: skeletons, the frame representation, clean-up. Knows no files, no text and no model."""
