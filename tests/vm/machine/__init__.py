"""The test machine: Debian trees, disk images and the virtual machines that boot them.

They need the standard library only, as does what they take from nsunit.
"""
