"""Models on devices: the signed bundle, the runtime inside of it, the over-the-air client."""
