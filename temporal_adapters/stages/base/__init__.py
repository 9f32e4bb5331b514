"""Whether a base is fit for what a study wants of it, before an hour is spent.

Takes a base and settings, gives results of checks. Knows no weeks and no survey.
"""
