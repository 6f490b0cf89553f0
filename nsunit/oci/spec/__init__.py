"""runtime-spec in Python's types: pure, from the JSON of config.json to what the steps and the managers take."""
