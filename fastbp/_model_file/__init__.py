"""Model files: a network's arrays and description in the safetensors layout, with a checksum."""
