"""A load generator for V1 and V2 servers, and what it measured.

It runs on the cores that the server runs on, so it is made to cost little: calls are bytes before
anything is timed, a connection is an ``asyncio.Protocol``, and an answer is read no further than to
know where it ends.
"""
