"""Compute Blueprints beside the AWS CDK: same templates, whole processes, ratios of runs taken in turn."""
