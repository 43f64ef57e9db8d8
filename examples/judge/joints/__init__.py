"""A checker of motions: decides from joints alone whether a motion does what was asked."""
