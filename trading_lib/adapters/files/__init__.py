"""Files beside the database: export folder, progress and output files, include folder, the kill switch."""
