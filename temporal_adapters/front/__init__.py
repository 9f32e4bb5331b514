"""What a command and a notebook call: one function for one job, and records and frames that they give."""
