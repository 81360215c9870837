"""Which version answered when, and by whose doing: a history that shows when it was changed."""
