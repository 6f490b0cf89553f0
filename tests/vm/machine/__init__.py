"""The test machine: Debian trees, disk images and the virtual machines that boot them. Standard library only."""
