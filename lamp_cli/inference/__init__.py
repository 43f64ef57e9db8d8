"""What a trained bundle does: generate, caption, retrieve, embed. Plain functions that know no training."""
