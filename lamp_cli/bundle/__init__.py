"""A trained set of networks as a folder: load, save, verify."""
