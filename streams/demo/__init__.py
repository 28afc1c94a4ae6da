"""`bounceline demo`: a made-up day of mail, decided for real on the embedded stack, and what came of it."""
