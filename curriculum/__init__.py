"""The course tool: builds the labs from one codebase, and proves that they cannot drift."""
