"""The formats of files that the kernel writes: text in, numbers out.

No module of the standard library reads these, and psutil would be a dependency for a few lines each.
"""
