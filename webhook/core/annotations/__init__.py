"""What the author of a pod asks for: the table of annotations, and how raw texts become an Intent or the refusal of one."""
