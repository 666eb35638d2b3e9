"""The kit of the course: what every lab uses, and no lesson is about."""
