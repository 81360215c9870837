"""Statistics over windows of time, defined once, computed in bulk and from a stream."""
