"""`Bind=…:idmap=1000-33` and `Bind=…:U`: whose files are the container's, one id or all of them."""
