"""What an environment on AWS costs a month, from a plan or state of Terraform and prices in files.

Nothing here asks a network: what would exist is what ``terraform show -json`` tells, and what it costs is
what the price files say. Money is ``Decimal`` from the file to the page, so that 0.1 is 0.1; it is rounded
where it is printed and nowhere else.
"""

from decimal import Decimal

USUAL_IDLE_SHARE = Decimal("0.7")
"""Of all hours: models that are called from eight to six on five days of a week are idle for 0.70 of them."""
