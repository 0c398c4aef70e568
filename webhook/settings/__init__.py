"""Settings: read from flags and variables once, at start. Reads no file; the values it makes do the same."""
