"""How the instrument is proved: mixes of labelled posts, and the same study with something changed."""
