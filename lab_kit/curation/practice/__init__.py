"""A practice set for collecting and cleaning pictures: drawn symbols with planted faults, and a list of the faults."""
