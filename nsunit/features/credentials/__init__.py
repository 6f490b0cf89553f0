"""Secrets: what systemd loads for the unit (`LoadCredential=` and its like) reaches the program, `Secret=` as well."""
