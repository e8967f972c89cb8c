"""The ground floor: what every stage may import. No stage is imported here."""
