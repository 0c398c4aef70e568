"""What the author of a pod asks for: the table of annotations, and how their values become an Intent or a refusal."""
