"""Features too good to be true, or known too late."""
