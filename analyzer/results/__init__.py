"""From columns to answers: tables of instances and workflows, findings, notes on data."""
