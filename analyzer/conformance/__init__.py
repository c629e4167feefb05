"""What people declared, held against what ran: expectations, contracts, and `learn`."""
