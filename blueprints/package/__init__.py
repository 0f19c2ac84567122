"""`blueprints package`: code as reproducible zips, uploaded once, and the template that names them.

Stands beside `core` and not in it, because it reads templates as the checks do, runs pip and calls S3. Imports core
and checks, never the reverse.
"""
