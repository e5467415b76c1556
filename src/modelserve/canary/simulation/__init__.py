"""How often the judge is wrong and how soon it is right, for a user's traffic and plan, and beside others."""
