"""The error of this package."""


class BrokerError(Exception):
    """No broker could be fetched or started; the message holds what Maven or the broker said."""
