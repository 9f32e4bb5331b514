"""What computes: weights (`model`), arithmetic on log-probs (`scoring`), tests D and L (`significance`)."""
