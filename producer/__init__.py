"""From recordings to jobs and back: read, plan, release, collect, join, write."""
