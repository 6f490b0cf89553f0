"""Views that go on until they are left: `stats --plot` and `top --full`."""
