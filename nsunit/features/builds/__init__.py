"""`build`: images from Containerfiles by buildah, and from mkosi's directories, in units with limits."""
