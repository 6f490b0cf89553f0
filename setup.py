"""What pyproject.toml cannot say: every folder below nsunit is a package, and the templates are one more."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["nsunit", "nsunit.*"]), "nsunit.templates"])
