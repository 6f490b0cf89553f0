"""Newer images for containers: `update`, `rollback`, `AutoUpdate=`."""
