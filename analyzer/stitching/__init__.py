"""Which spans belong to one business workflow instance, and by what evidence."""
