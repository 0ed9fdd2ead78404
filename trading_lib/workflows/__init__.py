"""One function per job: load -> pure stage -> save. Owns settings and the clock."""
