"""What reviewers read about a blueprint. Imports core, never the reverse."""
