"""What options of 'podman run' and 'docker run' mean in definitions.

Quadlet's keys stand for such options, and compose's for docker's, so all three come together here.
"""
