"""A synthetic corpus: captioned motions from code alone, as many as asked, with what is true of each.

Other rooms import ``corpus``; README.md says what is made and how.
"""
