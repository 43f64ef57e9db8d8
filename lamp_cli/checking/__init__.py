"""Does a motion do what a sentence says? Decided from joints alone, clause by clause, without a network."""
