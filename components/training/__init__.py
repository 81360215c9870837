"""Learning: feature transforms, hyperparameters, the model."""
