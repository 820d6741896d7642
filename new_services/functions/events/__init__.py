"""Who hears of bookings: mails, loyalty points, and the view of a user's trips."""
