"""Offline checks of rendered templates. Importing loads no checker: each is started on a cache miss."""
