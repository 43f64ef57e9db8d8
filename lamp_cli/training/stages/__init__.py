"""What is learned in each stage: batches in, a figure on the validation clips out. One stage a file."""
