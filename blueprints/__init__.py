"""Compute Blueprints: reviewed, executable CloudFormation and SAM blueprints for compute on AWS.

Importing this package has no effects and loads nothing heavy. Write blueprints against `blueprints.core`.
"""

__version__ = "0.1.0"
