"""Motions and captions, real or made up, become a data set in the layout of HumanML3D."""
