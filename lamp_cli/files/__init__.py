"""Motion files in and out, recognised by content; one format a file. Knows no captions and no model."""
