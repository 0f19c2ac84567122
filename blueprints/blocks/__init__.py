"""Pure functions that return troposphere objects: what two or more blueprints share."""
