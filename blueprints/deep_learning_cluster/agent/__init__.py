"""The agent of a node: keeps its place in the cluster's registry, and writes the files that name all nodes.

Standard library and the image's AWS CLI; Python 3.9 or later.
"""
