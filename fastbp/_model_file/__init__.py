"""Model files: the safetensors layout with a checksum, and files that are replaced in one step."""
