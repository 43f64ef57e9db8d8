"""What the networks train on: the HumanML3D folder layout, how it is made, and batches from it."""
