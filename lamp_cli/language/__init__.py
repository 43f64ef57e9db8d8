"""English: parts of speech, stems, other words for the same, left and right. Knows no motion and no model."""
