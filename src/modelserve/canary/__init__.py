"""Whether a new revision may have more of the traffic: measurements, a judge, and what it is worth."""
