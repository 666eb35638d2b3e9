"""Parts of a web server: request limits, request parsing, security, the inference queue, metrics, API description."""
