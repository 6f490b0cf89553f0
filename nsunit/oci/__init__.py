"""nsunit-oci: an OCI runtime, which engines call in place of runc and crun."""
