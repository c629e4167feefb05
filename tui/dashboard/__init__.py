"""The dashboard: feeds bring snapshots, screens show them. Nothing heavy is imported here."""
