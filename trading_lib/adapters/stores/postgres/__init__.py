"""The PostgreSQL database: server, schema, migrations, bulk copies, revisions."""
