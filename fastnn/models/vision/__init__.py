"""Networks that look at images, one file a paper."""
