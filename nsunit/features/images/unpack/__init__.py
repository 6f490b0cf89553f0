"""What runs in the unit that unpacks an image: sources, decompression, and the files of a layer."""
