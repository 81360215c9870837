"""Stand-ins for what surrounds the project, shared by tests of several areas."""
