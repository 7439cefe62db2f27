"""What an org has done by itself: schedules, automations and their runs."""
