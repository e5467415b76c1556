"""moto's server with what it lacks, or forgets, of what an environment is made of.

What is added takes what it is given, keeps it and gives it back. It checks nothing: what AWS refuses is not
found out here. terraform/README.md lists what is still not like AWS.
"""

from __future__ import annotations

import sys

from aws_stand_in import costs, databases, ec2, eks, metrics
from moto.server import main

if __name__ == "__main__":
    for service in (costs, databases, ec2, eks, metrics):
        service.extend()
    main(sys.argv[1:])
