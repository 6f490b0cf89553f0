"""`RuntimeMaxSec=` of [Service]: when the time is up, a program that cannot be asked to end is killed at once."""
