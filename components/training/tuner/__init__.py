"""KerasTuner search over the hyperparameters of model.py."""
