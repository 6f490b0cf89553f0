"""Pods: containers that share namespaces and limits."""
