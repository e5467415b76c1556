"""A shadow: what another revision or service would have answered to the calls that were logged.

Requests from the request log are sent again, at a bounded rate, and the new answers are compared with the
logged ones. No caller waits for any of it or sees it.
"""
