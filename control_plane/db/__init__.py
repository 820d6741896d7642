"""The control plane's database: connections, tables, migrations."""
