"""Import what others have: find the files, check what comes of them, write it."""
