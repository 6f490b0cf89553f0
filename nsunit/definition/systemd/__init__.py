"""systemd's own directives, as they stand in [Unit], [Service], [Slice] and [Install]."""
