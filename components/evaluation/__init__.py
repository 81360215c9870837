"""Is the model good enough, and better than the one that is live?"""
