"""Fetching images from registries: skopeo(1) does, and is told which layers are there already."""
