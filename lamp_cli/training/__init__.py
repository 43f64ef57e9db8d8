"""The training loop, the sizes, and pretraining as a whole. Nothing in inference imports it."""
