"""Webhooks: what providers post, checked as each of them signs, and put on `esp-reports` (SPEC 10)."""
