"""The Instance screen: one workflow instance, from one plain document."""
