"""PostgreSQL: connections, schema, migrations, bulk copies, revisions, and the embedded server."""
