"""Which versions there are, which are loaded, and who is using them."""
