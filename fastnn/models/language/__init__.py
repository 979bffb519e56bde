"""Networks that read and write text, one file a paper."""
