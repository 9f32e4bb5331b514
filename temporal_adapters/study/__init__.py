"""What is asked for and what is finished: config, questionnaires, artifacts on disk."""
