"""GraphQL over the services: one schema stitched from users, catalogue and bookings."""
