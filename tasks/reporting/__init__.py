"""What a report says: read from what the stages wrote, put into tables and words."""
