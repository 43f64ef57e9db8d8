"""What a trained bundle does: generate, caption, retrieve, embed. Plain functions that know no training."""

# Motions that go through the networks at once, unless another number is asked for.
BATCH_SIZE = 32
