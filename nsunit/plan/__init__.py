"""Pure: from a definition to units and to the helper's set-up plan."""
