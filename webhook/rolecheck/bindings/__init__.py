"""The bindings document: its shapes, how it is loaded, and the Snapshot that comes of it. Opens no file."""
