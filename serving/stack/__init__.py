"""Everything between an entity and a prediction, on one machine: processes that end together."""
