"""The command line: verbs, arguments, output; the only room that prints and exits."""
