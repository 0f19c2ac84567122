"""The checks: one module a topic, one decorated function a check."""
