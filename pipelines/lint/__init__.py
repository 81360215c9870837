"""A linter for compiled KFP 2 pipelines: what a backend rejects, mishandles or drops in silence."""
