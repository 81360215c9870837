"""The feature server: online features over HTTP, with Feast's requests and answers."""
