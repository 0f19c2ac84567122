"""What runs a rendered stack on this machine: resolver, emulated AWS, functions, HTTP front.

Nothing here is imported by rendering. Each module is imported by its own name, because they bring boto3 and moto.
"""
