"""What sentences say that a body does: words of every action, and what a sentence claims by them."""
