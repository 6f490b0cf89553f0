"""Jobs: the section [Timer], by which an enabled container is started at times rather than at boot."""
