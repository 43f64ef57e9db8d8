"""A library of motions on disk: its takes and windows, their embeddings, and the search among them."""
