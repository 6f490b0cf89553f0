"""Effects: rtnetlink, nftables, and the files that name others."""
