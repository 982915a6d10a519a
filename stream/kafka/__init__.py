"""Apache Kafka as the log. The only package that imports `kafka`; everyone else sees the protocols of `stream.log`.

`settings` stands apart and imports no client, so that a settings tree can be read without one.
"""
