"""Everything that measures: workloads, the libraries that run them, the race, the records."""
