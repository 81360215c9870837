"""The gateway: from an entity to a prediction, with the features that the model was trained on."""
