"""Which figures, of what, by which protocol, with which evaluator; and the report."""
